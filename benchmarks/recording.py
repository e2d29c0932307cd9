"""What recording a run costs: `model.fit` alone and with the recorder, on the same model and batches, in one process.

    python -m benchmarks.recording [--data CSV] [--pairs 5]

The two take turns, so that a machine whose speed drifts slows both. Each training takes 30 seconds or more.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kerasllm.recipes.text_classifier import TextClassifier
from kerasllm.run import create
from kerasllm.run.writer import Writer


def main() -> None:
    """Print the seconds of each pair and the median of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--data", default=str(Path(__file__).parents[2] / "shared" / "data" / "waimai_10k" / "train.csv")
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    recipe = TextClassifier(data=options.data, test="", epochs=options.epochs)
    data = recipe.read()
    ratios = []
    for pair in range(options.pairs + 1):
        seconds = {"alone": fit(recipe, data, recorded=False), "recorded": fit(recipe, data, recorded=True)}
        if pair:  # the first warms up
            ratios.append(seconds["recorded"] / seconds["alone"])
            print(
                "  ".join(f"{who} {value:.2f} s" for who, value in seconds.items()),
                f" ratio {ratios[-1]:.4f}",
                flush=True,
            )
    print(f"median {statistics.median(ratios):.4f}, min {min(ratios):.4f}, max {max(ratios):.4f}")


def fit(recipe: TextClassifier, data: Any, recorded: bool) -> float:
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
    model.compile(optimizer(recipe, steps), recipe.loss(), recipe.metrics(), jit_compile=devices.jit_compile())
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        # Alone, the rows still have to be put in each epoch's order.
        callback: Any = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.begin(epoch))
        if recorded:
            writer = stack.enter_context(Writer(create(recipe, folder)))
            writer.start()
            stack.callback(writer.end, "completed")
            callback = Recorder(writer, recipe, recipe.epochs, batches, Progress())
        began = time.perf_counter()
        model.fit(batches, epochs=recipe.epochs, callbacks=[callback], verbose=0, shuffle=False)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
