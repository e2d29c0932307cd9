"""The recipe's optimizer and the way its learning rate goes."""

from __future__ import annotations

import math
from typing import Any

import keras

from kerasllm.recipe import Recipe
from kerasllm.training import devices


def optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimizer with its learning rate's schedule over `steps` batches."""
    rate: Any = recipe.peak_rate()
    warmup = round(recipe.warmup * steps)
    if recipe.schedule != "constant" or warmup:
        rate = LearningRate(recipe.peak_rate(), recipe.schedule, steps, warmup)
    kinds = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
        "adagrad": keras.optimizers.Adagrad,
    }
    options: dict[str, Any] = {
        "learning_rate": rate,
        "clipnorm": recipe.clipnorm or None,
        "name": "optimizer",
    }
    if recipe.optimizer in ("sgd", "rmsprop"):
        options["momentum"] = recipe.momentum
    # AdamW has a decay of its own by default: 0 must mean none.
    options["weight_decay"] = recipe.weight_decay if recipe.optimizer == "adamw" else recipe.weight_decay or None
    kind = kinds[recipe.optimizer]
    made = type(kind.__name__, (PerWeight, kind), {"recipe": recipe})(**options)
    if recipe.weight_decay:  # pulling these to 0 regularizes nothing
        made.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return made


class PerWeight:
    """Gives each weight its own share of the learning rate, in its step and in its decay, on every backend.

    Scaling the gradients would not do: Adam's steps do not depend on their scale. Clips what several devices have
    found together.
    """

    recipe: Recipe
    weight_decay: float | None

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        clip = super()._clip_gradients  # type: ignore[misc]
        return devices.on_the_whole_batch(clip, grads) if self.recipe.clipnorm else grads

    def _backend_update_step(self, grads: list[Any], variables: list[Any], rate: Any) -> None:
        for share, places in self._by_share(variables).items():
            some = [grads[place] for place in places], [variables[place] for place in places]
            super()._backend_update_step(*some, rate if share == 1 else rate * share)  # type: ignore[misc]

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        whole = self.recipe.weight_decay
        for share, places in self._by_share(variables).items() if whole else ():
            self.weight_decay = whole * share  # not read before: TensorFlow's devices take turns in here
            super()._apply_weight_decay([variables[place] for place in places])  # type: ignore[misc]
        self.weight_decay = whole

    def _by_share(self, variables: list[Any]) -> dict[float, list[int]]:
        """Each share that occurs -> the places of its variables."""
        found: dict[float, list[int]] = {}
        for place, variable in enumerate(variables):
            found.setdefault(self.recipe.rate_of(variable.path), []).append(place)
        return found


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Rise from 0 over `warmup` steps, then stay, or fall to 0 at `steps`, in a line or half a cosine."""

    def __init__(self, peak: float, shape: str, steps: int, warmup: int) -> None:
        self.peak, self.shape, self.steps, self.warmup = peak, shape, steps, warmup

    def __call__(self, step: Any) -> Any:
        ops = keras.ops
        now = ops.cast(step, "float32")
        share = ops.clip((now - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0)
        fall = {
            "constant": lambda: ops.ones_like(share),
            "linear": lambda: 1.0 - share,
            "cosine": lambda: 0.5 * (1.0 + ops.cos(math.pi * share)),
        }[self.shape]()
        rise = ops.minimum((now + 1.0) / max(1, self.warmup), 1.0) if self.warmup else 1.0
        return self.peak * fall * rise

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"peak": self.peak, "shape": self.shape, "steps": self.steps, "warmup": self.warmup}
