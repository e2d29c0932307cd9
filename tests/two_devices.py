"""Train on one virtual CPU device and on two: `python -m tests.two_devices RUNS FILE RECIPE` -> a line of JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # JAX's, read when it looks for devices

from kerasllm.training import devices

from kerasllm.recipes import find  # isort: skip

SETTINGS: dict[str, dict[str, Any]] = {
    "bert_classifier": {"depth": 1, "width": 8, "heads": 2, "max_length": 13},
    "image_classifier": {"filters": 4, "depth": 1, "flip": True, "cutout": 0.3},
    "text_classifier": {},
}


def main(runs: str, file: str, name: str) -> None:
    if devices.backend() == "tensorflow":
        import tensorflow as tf

        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    found = []
    # By sgd: adam would hide a gradient of the wrong scale, and make much of roundings.
    for count in (1, 2):
        devices.gpus = lambda count=count: [f"cpu:{place}" for place in range(count)]
        recipe = find(name)(
            **SETTINGS[name], data=file, device="gpus", batch_size=7, epochs=2, validation="0.2", dropout=0.0,
            class_weights="balanced", optimizer="sgd", learning_rate=0.1,
        )  # fmt: skip
        run = recipe.train(runs=runs, name=f"on-{count}")
        found.append({"epochs": run.epochs, "scores": run.scores, "devices": run.sessions[0]["devices"]})
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
