"""The doctor: what this machine has and lacks, told and never raised."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from kerasllm import doctor
from tests.conftest import last_json


def found(**more: Any) -> dict[str, Any]:
    """A healthy machine's findings, but for `more`; `packages` are changed one by one."""
    packages = dict.fromkeys(doctor.PACKAGES, "1.0") | more.pop("packages", {})
    healthy = {"cards": [], "backend": "tensorflow", "devices": [{"name": "cpu", "bfloat16": False}], "error": ""}
    return {**healthy, "packages": packages, "python": "3.12.1", "platform": "Linux", "cores": 2, **more}


GONE = {"keras": "", "tensorflow": "", "jax": "", "torch": ""}


@pytest.mark.parametrize(
    ("findings", "cure"),
    [
        (found(), None),
        (found(packages=GONE, backend="", error="no keras"), "pip install 'kerasllm[train]'"),
        (found(packages={"papermill": ""}), "pip install 'kerasllm[lab]'"),
        (found(cards=["NVIDIA A100"]), "CUDA is missing: pip install 'kerasllm[gpu]'"),
        (found(cards=["NVIDIA A100"], backend="jax"), "pip install 'jax[cuda12]'"),
        (found(cards=["NVIDIA A100"], devices=[{"name": "NVIDIA A100", "bfloat16": True}]), None),
        (found(backend="", devices=[], error="libfoo.so: no such file"), "does not start (libfoo.so: no such file)"),
    ],
)
def test_what_is_missing_is_told_with_its_cure_in_two_languages(findings: dict[str, Any], cure: str | None) -> None:
    told = doctor.advice(findings)
    assert len(told) == (0 if cure is None else 1)
    for english, chinese in told:
        assert cure
        assert cure in english
        assert any("一" <= letter <= "鿿" for letter in chinese)
    findings["advice"] = told
    assert ("all is well" in doctor.lines(findings)) == (cure is None)
    assert ("一切就绪" in doctor.lines(findings, "zh")) == (cure is None)


@pytest.mark.parametrize(("language", "says"), [("zh_CN.UTF-8", "一切就绪"), ("en_GB.UTF-8", "all is well")])
def test_the_module_speaks_the_persons_language(
    language: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: found(advice=[], can_train=True))
    monkeypatch.setenv("LC_ALL", language)
    assert doctor.main() == 0
    assert says in capsys.readouterr().out


def test_a_backend_that_is_asked_for_and_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    ((english, _),) = doctor.advice(found(packages={"jax": ""}, backend="", error="x"))
    assert english == "KERAS_BACKEND=jax, which is not installed: pip install 'kerasllm[jax]', or unset it"
    monkeypatch.setenv("KERAS_BACKEND", "jx")
    ((english, _),) = doctor.advice(found(backend="", error="x"))
    assert english == "KERAS_BACKEND=jx is no backend: set it to tensorflow or jax or torch, or unset it"


def test_a_backend_that_kills_its_process_does_not_kill_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ASK", "import os; os.abort()")
    findings = doctor.examine()
    assert not findings["can_train"]
    assert "code -6" in findings["error"]


def test_the_doctor_works_with_nothing_installed_but_python() -> None:
    code = (
        "import sys, runpy\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('keras', 'cyclopts', 'pydantic', 'numpy', 'filelock', 'psutil', 'rich'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "import kerasllm.doctor as doctor\n"
        "doctor.ASK = 'import no_such_module'\n"
        "doctor.version_of = lambda name: ''\n"
        "print('\\n'.join(doctor.lines(doctor.examine())))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "pip install 'kerasllm[train]'" in done.stdout
    assert "No module named 'no_such_module'" in done.stdout


@pytest.mark.slow
def test_this_machine_can_train(kerasllm: Any) -> None:
    done = kerasllm("doctor", "--json")
    assert done.returncode == 0, done.stderr
    answer = last_json(done.stdout)
    assert (answer["backend"], answer["can_train"]) == ("tensorflow", True)
    module = subprocess.run([sys.executable, "-m", "kerasllm.doctor", "--json"], text=True, capture_output=True)
    assert json.loads(module.stdout.splitlines()[-1]) == answer


@pytest.mark.slow
def test_a_broken_backend_is_exit_code_1(kerasllm: Any) -> None:
    done = kerasllm("doctor", backend="no_such")
    assert done.returncode == 1
    assert "backend: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
