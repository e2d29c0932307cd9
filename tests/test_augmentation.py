"""Pictures change a little in each epoch, and the same way whenever the epoch is drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from kerasllm.data import Examples
from kerasllm.errors import needs

with needs("train"):
    from kerasllm.training import devices
    from kerasllm.training.augmentation import Augmentation, AugmentedBatches
    from kerasllm.training.batches import Batches

ROWS = np.random.default_rng(0).integers(0, 256, (50, 12, 12, 3), "uint8")
EXAMPLES = Examples({"pixels": ROWS}, np.arange(50))


def batches(seed: int = 3, **what: float) -> AugmentedBatches:
    return AugmentedBatches(EXAMPLES, 8, seed, Augmentation(**what))  # type: ignore[arg-type]


def epoch(found: Batches) -> dict[int, np.ndarray]:
    """Each row's pixels."""
    pictures: dict[int, np.ndarray] = {}
    for place in range(len(found.plan)):
        inputs, targets = found.batch(*found.plan[place])
        pictures |= dict(zip(targets.tolist(), inputs["pixels"], strict=True))
    return pictures


def test_without_any_change_pictures_are_as_they_were_and_in_the_same_order() -> None:
    plain, changed = Batches(EXAMPLES, 8, 3), batches()
    assert [rows.tolist() for rows, _ in plain.plan] == [rows.tolist() for rows, _ in changed.plan]
    assert all((picture == ROWS[row]).all() for row, picture in epoch(changed).items())


def test_a_rows_change_depends_on_seed_epoch_and_row_alone() -> None:
    first, again = batches(shift=0.25, flip=True, cutout=0.5), batches(shift=0.25, flip=True, cutout=0.5)
    first.begin(4)
    again.begin(2)
    again.begin(4, 3)
    one, other = epoch(first), epoch(again)
    assert all((one[row] == other[row]).all() for row in one)
    again.begin(5)
    assert any((one[row] != picture).any() for row, picture in epoch(again).items())
    elsewhere = batches(seed=4, shift=0.25, flip=True, cutout=0.5)
    elsewhere.begin(4)
    assert any((one[row] != picture).any() for row, picture in epoch(elsewhere).items())


def test_a_shift_moves_the_picture_and_mirrors_what_moves_in() -> None:
    moves = set()
    for row, picture in epoch(batches(shift=0.25)).items():
        padded = np.pad(ROWS[row], ((3, 3), (3, 3), (0, 0)), "reflect")
        fits = [
            (down, across)
            for down in range(7)
            for across in range(7)
            if (padded[down : down + 12, across : across + 12] == picture).all()
        ]
        assert len(fits) == 1
        moves.add(fits[0])
    assert len(moves) > 20


def test_a_flip_mirrors_about_half_of_the_pictures_left_to_right() -> None:
    mirrored = [(picture == ROWS[row][:, ::-1]).all() for row, picture in epoch(batches(flip=True)).items()]
    same = [(picture == ROWS[row]).all() for row, picture in epoch(batches(flip=True)).items()]
    assert sum(mirrored) + sum(same) == 50
    assert 10 < sum(mirrored) < 40


def test_a_cutout_is_one_grey_square_of_its_share_of_the_side() -> None:
    for row, picture in epoch(batches(cutout=0.5)).items():
        down, across = np.nonzero((picture != ROWS[row]).any(axis=-1))
        assert 0 < np.ptp(down) < 6
        assert 0 < np.ptp(across) < 6
        assert (picture[down, across] == 127).all()


def test_rows_that_fill_a_batch_up_for_several_devices_are_changed_as_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "parts", lambda: 3)
    found = batches(shift=0.25, flip=True, cutout=0.5)
    sizes, counted = set(), 0
    seen: dict[int, np.ndarray] = {}
    for place in range(len(found.plan)):
        inputs, targets, weights = found.batch(*found.plan[place])
        sizes.add(len(targets) % 3)
        counted += np.count_nonzero(weights)
        for row, picture in zip(targets.tolist(), inputs["pixels"], strict=True):
            assert (seen.setdefault(row, picture) == picture).all()
    assert (sizes, counted, len(seen)) == ({0}, 50, 50)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_tiny_pictures_are_no_trouble(side: int) -> None:
    examples = Examples({"pixels": np.zeros((4, side, side, 1), "uint8")}, np.arange(4))
    found = AugmentedBatches(examples, 2, 0, Augmentation(0.9, True, 0.5))
    assert found.batch(*found.plan[0])[0]["pixels"].shape == (2, side, side, 1)
