"""What recording a run costs: `model.fit` alone and with the recorder, on the same model and batches, in one process.

    python -m benchmarks.recording [--data CSV] [--pairs 4] [--epochs 60]

The two take turns, each training takes 30 seconds or more, and beside the seconds of the clock stand those of the
process's own computing: on a machine with other work they are what can be compared.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks.measured import DATA
from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import create
from kerasllm.run.writer import Writer


def main() -> None:
    """Print the seconds of each pair and the median of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", default=str(DATA / "waimai_10k" / "train.csv"))
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    recipe = TextClassifier(data=options.data, test="", epochs=options.epochs)
    data = recipe.read()
    ratios: list[Seconds] = []
    for pair in range(options.pairs + 1):
        alone, recorded = fit(recipe, data, recorded=False), fit(recipe, data, recorded=True)
        if pair:  # the first warms up
            ratios.append(Seconds(*(there / here for here, there in zip(alone, recorded, strict=True))))
            print(f"alone {alone}  recorded {recorded}  ratio {ratios[-1]}", flush=True)
    for name, values in zip(Seconds._fields, zip(*ratios, strict=True), strict=True):
        print(f"{name}: median ratio {statistics.median(values):.4f}, from {min(values):.4f} to {max(values):.4f}")


class Seconds(NamedTuple):
    """What a training took, by the clock and of the processor."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.3f}/{self.processor:.3f}"


def fit(recipe: TextClassifier, data: Any, recorded: bool) -> Seconds:
    """Seconds of fit with the model compiled anew."""
    import keras

    from kerasllm.training import devices
    from kerasllm.training.batches import Batches
    from kerasllm.training.checkpoint import Progress
    from kerasllm.training.optimizers import optimizer
    from kerasllm.training.recorder import Recorder

    batches = Batches(data.training, recipe.batch_size, recipe.seed)
    model = recipe.build(data)
    steps = recipe.epochs * len(batches.plan)
    model.compile(optimizer(recipe, steps), recipe.loss(), metrics=recipe.metrics(), jit_compile=devices.jit_compile())
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        # Alone, the rows still have to be put in each epoch's order.
        callback: Any = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.begin(epoch))
        if recorded:
            writer = stack.enter_context(Writer(create(recipe, folder)))
            writer.start()
            stack.callback(writer.end, "completed")
            callback = Recorder(writer, recipe, recipe.epochs, batches, Progress())
        began = Seconds(time.perf_counter(), time.process_time())
        model.fit(batches, epochs=recipe.epochs, callbacks=[callback], verbose=0, shuffle=False)
        return Seconds(time.perf_counter() - began.clock, time.process_time() - began.processor)


if __name__ == "__main__":
    main()
