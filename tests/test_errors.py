"""Errors: one line in English, the same in Chinese."""

from __future__ import annotations

import pickle

import pytest

from kerasllm.errors import InputError, needs


def test_a_process_may_send_an_error_to_another() -> None:
    error = pickle.loads(pickle.dumps(InputError("no run", "没有运行")))
    assert (str(error), error.zh) == ("no run", "没有运行")


def test_a_missing_package_is_told_with_the_command_that_installs_it() -> None:
    with pytest.raises(InputError) as caught, needs("train"):
        raise ModuleNotFoundError("No module named 'keras'", name="keras")
    assert str(caught.value) == "keras is not installed: pip install 'kerasllm[train]'"
    assert caught.value.zh == "keras 没有安装：pip install 'kerasllm[train]'"
