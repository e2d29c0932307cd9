"""`kerasllm doctor`: backend, devices and versions of this machine, and what to install.

The backend is asked in a process of its own: a broken installation may end it in ways that no `except` sees.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kerasllm import spoken

COMPUTE = ("kerasllm", "keras", "tensorflow", "jax", "torch", "numpy", "tokenizers")  # the weights depend on these
PACKAGES = (
    *COMPUTE, "keras-hub", "pandas", "scikit-learn", "jupyterlab", "ipykernel", "papermill", "anywidget",
)  # fmt: skip
BACKENDS = ("tensorflow", "jax", "torch")
PATIENCE = 120  # seconds for a backend's import
ASK = """
import json
from kerasllm.training import devices
names = devices.gpus() or ["cpu:0"]
print(json.dumps([devices.backend(), [devices.describe(name) for name in names]]))
"""


def examine() -> dict[str, Any]:
    """Look at this machine; whatever is missing or broken is told, never raised."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "packages": {name: version_of(name) for name in PACKAGES},
        "cards": cards(),
        **_backend(),
    }
    return {**found, "advice": advice(found), "can_train": not found["error"]}


def cards() -> list[str]:
    """The NVIDIA cards that the driver sees, whether a backend can use them or not."""
    program = shutil.which("nvidia-smi")
    if not program:
        return []
    words = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, text=True, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def _backend() -> dict[str, Any]:
    """The backend that Keras takes, its devices, and the error where it fails."""
    told: dict[str, Any] = {"backend": "", "devices": [], "error": ""}
    try:
        done = subprocess.run([sys.executable, "-c", ASK], text=True, capture_output=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {**told, "error": str(error).splitlines()[0]}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with code {done.returncode}"]
        return {**told, "error": last[0].removeprefix("kerasllm.errors.InputError: ")}
    backend, devices = json.loads(done.stdout.strip().splitlines()[-1])
    return {**told, "backend": backend, "devices": devices}


def advice(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What to do, in English and Chinese."""
    told = []
    packages = found["packages"]
    wanted = os.environ.get("KERAS_BACKEND", "")
    if wanted in BACKENDS and not packages[wanted]:
        extra = "train" if wanted == "tensorflow" else wanted
        told.append(
            (
                f"KERAS_BACKEND={wanted}, which is not installed: pip install 'kerasllm[{extra}]', or unset it",
                f"KERAS_BACKEND={wanted}，但它没有安装：pip install 'kerasllm[{extra}]'，或取消该变量",
            )
        )
    elif wanted and wanted not in BACKENDS:
        told.append(
            (
                f"KERAS_BACKEND={wanted} is no backend: set it to {' or '.join(BACKENDS)}, or unset it",
                f"KERAS_BACKEND={wanted} 不是后端：请设为 {' 或 '.join(BACKENDS)}，或取消该变量",
            )
        )
    elif not packages["keras"] or not any(packages[name] for name in BACKENDS):
        told.append(("to train: pip install 'kerasllm[train]'", "要训练：pip install 'kerasllm[train]'"))
    elif found["error"]:
        told.append(
            (
                f"the backend does not start ({found['error']}): install it again in a new environment",
                f"后端无法启动（{found['error']}）：请在新环境中重新安装",
            )
        )
    if found["cards"] and found["backend"] and not _has_gpu(found):
        told.append(no_cuda(found["backend"]))
    if not (packages["papermill"] and packages["ipykernel"]):
        told.append(("for notebooks: pip install 'kerasllm[lab]'", "要用笔记本：pip install 'kerasllm[lab]'"))
    return told


def no_cuda(backend: str) -> tuple[str, str]:
    """What to install where a backend cannot use this machine's card, in English and Chinese."""
    cure = {"tensorflow": "pip install 'kerasllm[gpu]'", "jax": "pip install 'jax[cuda12]'"}.get(
        backend, "pip install torch"
    )
    return (
        f"there is a card that {backend} cannot use, CUDA is missing: {cure}",
        f"有显卡，但 {backend} 用不了，缺少 CUDA：{cure}",
    )


def _has_gpu(found: dict[str, Any]) -> bool:
    return any(device["name"] != "cpu" for device in found["devices"])


def lines(found: dict[str, Any], language: str = "en") -> list[str]:
    """The findings for a person."""
    chinese = language == "zh"
    devices = [f"{one['name']}{' (bfloat16)' if one['bfloat16'] else ''}" for one in found["devices"]]
    words = {
        "Python": ("Python", f"{found['python']}, {found['platform']}, {found['cores']} cores"),
        "backend": ("后端", found["backend"] or found["error"]),
        "devices": ("设备", ", ".join(devices) or "-"),
        "NVIDIA cards": ("NVIDIA 显卡", "; ".join(found["cards"]) or "-"),
        "folder of runs": ("运行文件夹", os.environ.get("KERASLLM_RUNS") or str(Path("runs").absolute())),
    }
    told = [f"{names[0] if chinese else name}: {names[1]}" for name, names in words.items()]
    missing = "没有安装" if chinese else "not installed"
    told += [f"  {name} {installed or missing}" for name, installed in found["packages"].items()]
    told += [pair[chinese] for pair in found["advice"]]
    return told if found["advice"] else [*told, "一切就绪" if chinese else "all is well"]


def version_of(name: str) -> str:
    """A package's version: "" where it is not installed, "?" where it does not tell."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "" if find_spec(name.replace("-", "_")) is None else "?"


def main(words: Sequence[str] = ()) -> int:
    """`python -m kerasllm.doctor`: also where the command line's own packages are missing."""
    findings = examine()
    print("\n".join(lines(findings, spoken.language())))
    if "--json" in words:
        print(json.dumps(findings, ensure_ascii=False))
    return 0 if findings["can_train"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
