"""What a session's weights depend on beside the recipe and the data: told in the run's folder, compared on resuming."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

from kerasllm import doctor
from kerasllm.training import devices


def session(device: str = "auto") -> dict[str, Any]:
    """What this process computes with: a line of sessions.jsonl."""
    names = devices.used(device)
    return {
        "backend": devices.backend(),
        "device": "cpu" if names[0].startswith("cpu") else "gpu",
        "devices": [devices.describe(name)["name"] for name in names],
        "versions": {name: found for name in doctor.COMPUTE if (found := doctor.version_of(name))},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": devices.threads(),
    }


def line(session: Mapping[str, Any]) -> str:
    """A session's devices in one line for a person."""
    names = session["devices"]
    shown = f"{len(names)} x {names[0]}" if len(names) > 1 else names[0]
    return f"{shown}, {session['backend']} {session['versions'].get(session['backend'], '')}".rstrip()


def change(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str] | None:
    """What differs between two sessions of a run and may change its weights, in English and Chinese."""
    pairs = [(name, before.get(name), now.get(name)) for name in ("devices", "threads", "cores", "python")]
    versions = [one.get("versions", {}) for one in (before, now)]
    pairs += [(name, versions[0].get(name), versions[1].get(name)) for name in doctor.COMPUTE if name != "kerasllm"]
    told = "; ".join(
        f"{name} {_plain(old)} -> {_plain(new)}" for name, old, new in pairs if None not in (old, new) and old != new
    )
    if not told:
        return None
    return (
        f"not as when it began ({told}): the weights may differ from an unbroken run's",
        f"与开始时不同（{told}）：权重可能与未中断的运行不同",
    )


def unused(device: str, session: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which card "auto" left alone, since the backend cannot use it, and the cure, in English and Chinese."""
    left = device == "auto" and session["device"] == "cpu" and doctor.cards()
    return doctor.no_cuda(session["backend"]) if left else None


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in value.items()) or "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
