"""Scores of the recipes, with default parameters, beside their peers on the same rows.

    python -m benchmarks.quality [--data FOLDER] [--out FILE] [--seeds 1] [RECIPE | RECIPE:SET ...]

Each finished training is a line of FILE, and is not repeated when the command is given again, also with more seeds.
One seed is meant for trainings of over ten minutes, three for all others. What is trained and what
it is compared with stands in the module that is named after the recipe.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy import stats

from benchmarks.measured import DATA, Benchmark, Measured
from kerasllm import recipes

RECIPES = [name for name in recipes.names() if Path(__file__).with_name(f"{name}.py").exists()]
HEAD = """\
| recipe | set | score | ours | to reach | peer | difference, 95 % interval | trainings | minutes | longest, s |
|---|---|---|---|---|---|---|---|---|---|"""


def benchmark(recipe: str) -> Benchmark:
    """The recipe's module."""
    return cast(Benchmark, importlib.import_module(f"benchmarks.{recipe}"))


def report(recipe: str, name: str, seeds: list[list[Measured]]) -> str:
    """One row of the table, of each seed's parts.

    The score is the mean over the seeds, with their standard deviation. The difference has its 95 % t-interval: over
    the parts, each the mean of its seeds; or over the seeds, where there is one part.
    """
    module = benchmark(recipe)
    accuracy = module.SCORE == "accuracy"
    shown = ("{:.4f}" if module.SCORE != "RMSE" else "{:.1f}").format
    ours = np.array([[line.ours for line in parts] for parts in seeds])  # (seeds, parts)
    score = shown(ours.mean())
    if len(seeds) > 1:
        score += f" ± {shown(ours.mean(axis=1).std(ddof=1))} ({len(seeds)} seeds)"
    peer, difference = module.PEER, ""
    if seeds[0][0].peer is not None:
        others = np.array([[line.peer for line in parts] for parts in seeds])
        peer += f" {shown(others.mean())}"
        # Of accuracies the difference in points, above 0 is better; of errors in percent, below 0 is better.
        differences = 100 * (ours - others) if accuracy else 100 * (ours / others - 1)
        difference = f"{differences.mean():+.3f} {'points' if accuracy else '%'}"
        apart = differences.mean(axis=0) if module.PARTS > 1 else differences[:, 0]
        if len(apart) > 1:
            half = stats.t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
            difference += f" ± {half:.3f}"
    seconds = [line.seconds for parts in seeds for line in parts]
    by_hand = "".join(f", {key}={value}" for key, value in module.set_by_hand(name).items())
    return (
        f"| {recipe} | {name}{by_hand} | {module.SCORE} | {score} | {module.SETS[name] or ''} | {peer} "
        f"| {difference} | {len(seconds)} | {sum(seconds) / 60:.1f} | {max(seconds):.0f} |"
    )


def main() -> None:
    """Measure what is not yet measured, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("wanted", nargs="*", metavar="RECIPE | RECIPE:SET", help=f"default: {', '.join(RECIPES)}")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("runs/quality.jsonl"))
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each part: with seed 0, 1 and so on")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds: 1 or more")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done: dict[tuple[str, str, int, int], Measured] = {}
    for line in map(json.loads, options.out.read_text("utf-8").splitlines() if options.out.exists() else ()):
        done[line["recipe"], line["set"], line["part"], line["seed"]] = Measured(**line["measured"])
    print(HEAD)
    for recipe, _, chosen in (word.partition(":") for word in options.wanted or RECIPES):
        module = benchmark(recipe)
        for name in [chosen] if chosen else module.SETS:
            keys = [[(recipe, name, part, seed) for part in range(module.PARTS)] for seed in range(options.seeds)]
            for key in itertools.chain(*keys):
                if key not in done:
                    done[key] = module.measure(name, options.data, *key[2:])
                    write(options.out, key, done[key])
            print(report(recipe, name, [[done[key] for key in parts] for parts in keys]))


def write(path: Path, key: tuple[str, str, int, int], measured: Measured) -> None:
    """Append a finished training."""
    recipe, name, part, seed = key
    line: dict[str, Any] = {"recipe": recipe, "set": name, "part": part, "seed": seed, "measured": measured._asdict()}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
