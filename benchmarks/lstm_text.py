"""Nats per character of lstm_text, with default parameters, beside a Witten-Bell n-gram on the same split.

    python -m benchmarks.lstm_text [--data FOLDER] [--out FILE] [--seed 0] [SET ...]

The last tenth of each set's train.txt, cut at a blank line, is scored; the rest trains. Each finished set is a line of
FILE, and is not repeated when the command is given again.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from kerasllm.recipes.lstm_text import LstmText

# The figure to reach, and the order of the n-gram beside it.
SETS = {"tinyshakespeare": (1.55, 4), "tang_poems": (4.9, 3)}
SHARE = 0.1


def split(text: str) -> tuple[str, str]:
    """What trains and what is scored: the end, from the last blank line before its share."""
    place = text.rindex("\n\n", 0, round((1 - SHARE) * len(text))) + 2
    return text[:place], text[place:]


def ngram(train: str, test: str, order: int) -> float:
    """Nats per character of a Witten-Bell n-gram (Witten and Bell 1991, method C) over characters.

    A character that training never saw gets an equal part of what the unigram leaves for the unseen.
    """
    following: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
    for place, one in enumerate(train):
        for length in range(min(order, place + 1)):
            following[length][train[place - length : place]][one] += 1
    totals = [{before: sum(counts.values()) for before, counts in level.items()} for level in following]
    unseen = max(1, len(set(test) - set(train)))

    total = 0.0
    for place, one in enumerate(test):
        share = 1 / unseen if one not in following[0][""] else 0.0
        for length in range(min(order, place + 1)):
            before = test[place - length : place]
            counts = following[length].get(before)
            if counts:
                kinds, seen = len(counts), totals[length][before]
                share = (counts[one] + kinds * share) / (seen + kinds)
        total -= math.log(share)
    return total / len(test)


def measure(name: str, data_folder: Path, seed: int) -> dict[str, Any]:
    """Train with default parameters on the first nine tenths; score the last, and the n-gram, on it."""
    target, order = SETS[name]
    train, test = split((data_folder / name / "train.txt").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        files = {"data": Path(folder) / "train.txt", "test": Path(folder) / "test.txt"}
        files["data"].write_text(train, "utf-8")
        files["test"].write_text(test, "utf-8")
        began = time.perf_counter()
        run = LstmText(**{part: str(path) for part, path in files.items()}, seed=seed).train(runs=folder)
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        written = list(run.generate(length=500))
        rate = len(written) / (time.perf_counter() - began)
        scores, epochs = run.scores, run.epochs
    return {
        "score": scores["nats_per_character"],
        "target": target,
        "peer": ngram(train, test, order),
        "peer_name": f"Witten-Bell {order}-gram",
        "characters": scores["characters"],
        "training_characters": len(train),
        "epochs": len(epochs),
        "seconds": seconds,
        "tokens_per_second": rate,
        "repetition": scores["repetition"],
        "sample": "".join(written),
    }


def main() -> None:
    """Measure what is not yet measured, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"default: {', '.join(SETS)}")
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--out", type=Path, default=Path("runs/lstm_text.jsonl"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    lines = map(json.loads, options.out.read_text("utf-8").splitlines()) if options.out.exists() else ()
    done = {(line["set"], line["seed"]): line for line in lines}
    print("| set | nats per character | to reach | n-gram | characters scored | epochs | minutes | tokens/s written |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.sets or SETS:
        key = (name, options.seed)
        if key not in done:
            done[key] = {"set": name, "seed": options.seed, **measure(name, options.data, options.seed)}
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[key], ensure_ascii=False) + "\n")
        line = done[key]
        print(
            f"| {name} | {line['score']:.4f} | {line['target']} | {line['peer_name']} {line['peer']:.4f} "
            f"| {line['characters']} | {line['epochs']} | {line['seconds'] / 60:.1f} "
            f"| {line['tokens_per_second']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
