"""What must hold of the classes in labelled rows, whatever the rows are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from kerasllm.errors import InputError


def check_several(classes: set[str], place: tuple[str, str], *, are_left: bool) -> None:
    """Refuse rows to train on that are of fewer than two classes; `place` says in both languages where they stand.

    `are_left` says whether rows were left out, because the validation or test data have them too.
    """
    if len(classes) > 1:
        return
    left = zh = ""
    if are_left:
        left = "; what is in the validation or test data too is left out"
        zh = "；验证或测试数据中也有的已略去"
    raise InputError(
        f"{place[0]}: {len(classes)} class to train on ({', '.join(classes)}); at least 2 are needed{left}",
        f"{place[1]}：训练用的只有 {len(classes)} 个类别（{'、'.join(classes)}）；至少需要 2 个{zh}",
    )


def torn(keys: Sequence[Hashable], labels: Sequence[str]) -> list[int]:
    """The rows that equal an earlier one, by their key, and have another label."""
    meant: dict[Hashable, str] = {}
    pairs = enumerate(zip(keys, labels, strict=True))
    return [row for row, (key, label) in pairs if meant.setdefault(key, label) != label]
