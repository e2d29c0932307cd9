"""Networks made of another one, kept as long as it: whoever asks twice waits once until it is traced or compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from weakref import WeakKeyDictionary

import keras


def once(make: Callable[[keras.Model], keras.Model]) -> Callable[[keras.Model], keras.Model]:
    """Make of each network at most one."""
    made: WeakKeyDictionary[keras.Model, keras.Model] = WeakKeyDictionary()

    @wraps(make)
    def find(model: keras.Model) -> keras.Model:
        if model not in made:
            made[model] = make(model)
        return made[model]

    return find
