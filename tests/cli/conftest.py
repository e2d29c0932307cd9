"""The command line in the tests' own process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kerasllm.cli import main
from tests.cli.commands import Answer


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command line in this process."""

    def call(*words: str) -> Answer:
        with pytest.raises(SystemExit) as left:
            main([*words])
        return Answer(left.value.code, *capsys.readouterr())  # type: ignore[arg-type]

    return call
