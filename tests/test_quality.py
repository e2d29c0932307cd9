"""The benchmark of quality: its seeds, its table, and that a finished training is not repeated."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import quality
from benchmarks.measured import Measured

Trainings = list[tuple[int, int]]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """The (part, seed) of each training of a recipe with two parts, which trains at once."""
    done: Trainings = []

    def measure(name: str, data: Path, part: int, seed: int) -> Measured:
        done.append((part, seed))
        return Measured(ours=0.8 + 0.1 * part + 0.02 * seed, peer=0.7, rows=10, seconds=30.0)

    recipe = SimpleNamespace(SCORE="accuracy", PEER="a peer", PARTS=2, SETS={"some": 0.8})
    monkeypatch.setattr(quality, "benchmark", lambda name: recipe)
    recipe.measure, recipe.set_by_hand = measure, lambda name: {}
    return done


def row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The cells of the table's only row."""
    monkeypatch.setattr(sys, "argv", ["quality", "recipe:some", *words])
    quality.main()
    return [cell.strip() for cell in capsys.readouterr().out.splitlines()[-1].strip("|").split("|")]


def test_seeds_are_told_by_mean_and_spread_and_what_is_done_is_not_repeated(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", str(tmp_path / "quality.jsonl"))
    one = row(monkeypatch, capsys, *out)
    assert trainings == [(0, 0), (1, 0)]
    assert one[3:6] == ["0.8500", "0.8", "a peer 0.7000"]
    assert one[7:] == ["2", "1.0", "30"]
    three = row(monkeypatch, capsys, *out, "--seeds", "3")
    assert trainings[2:] == [(0, 1), (1, 1), (0, 2), (1, 2)]
    assert three[3] == "0.8700 ± 0.0200 (3 seeds)"
    assert three[6].startswith("+17.000 points ± 63.5")  # over two parts: t is 12.7
    assert three[7:] == ["6", "3.0", "30"]
    row(monkeypatch, capsys, *out, "--seeds", "2")
    assert len(trainings) == 6


def test_of_one_part_the_interval_is_over_the_seeds(trainings: Trainings) -> None:
    quality.benchmark("recipe").PARTS = 1
    parts = [[Measured(0.8 + 0.01 * seed, 0.7, 10, 30.0)] for seed in range(3)]
    assert "| 0.8100 ± 0.0100 (3 seeds) |" in quality.report("recipe", "some", parts)
    assert "| +11.000 points ± 2.484 |" in quality.report("recipe", "some", parts)
