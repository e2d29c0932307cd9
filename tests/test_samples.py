"""The samples that need no network."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from kerasllm.data.files import read
from kerasllm.data.samples import sample
from kerasllm.errors import InputError


def test_the_line_is_the_documents() -> None:
    assert sample("line") == {"x": [1.0, 2.0, 3.0, 4.0, 5.0], "y": [0.0, 1.0, 2.0, 3.0, 4.0]}


def test_houses_follow_the_rule_they_state() -> None:
    houses = sample("houses")
    assert houses == sample("houses")
    assert {len(cells) for cells in houses.values()} == {100}
    adds = {"south": 25.0, "east": 8.0, "west": 0.0, "north": -15.0}
    errors = [
        price - (20 + 1.8 * area + adds[orientation]) for area, orientation, price in zip(*houses.values(), strict=True)
    ]
    assert abs(sum(errors) / 100) < 3  # 2.5 standard errors
    assert 9 < (sum(error**2 for error in errors) / 100) ** 0.5 < 15


def test_diabetes_is_in_the_units_of_the_patients() -> None:
    diabetes = sample("diabetes")
    assert len(diabetes) == 11
    assert len(diabetes["progression"]) == 442
    assert (min(diabetes["age"]), max(diabetes["age"])) == (19, 79)


def test_messages_have_twelve_intents_in_both_languages_and_no_duplicates() -> None:
    messages = sample("messages")
    counts = Counter(messages["label"])
    assert len(counts) >= 12
    assert min(counts.values()) >= 60
    plain = ["".join(one for one in text.lower() if one.isalnum()) for text in messages["text"]]
    assert len(set(plain)) == len(plain)
    for label in counts:
        own = [text for text, name in zip(messages["text"], messages["label"], strict=True) if name == label]
        chinese = sum(any("\u4e00" <= one <= "\u9fff" for one in text) for text in own)
        assert 0.3 < chinese / len(own) < 0.7, label


def test_no_two_messages_are_near_duplicates() -> None:
    texts = sample("messages")["text"]
    pieces = [{text[i : i + 3] for i in range(len(text) - 2)} for text in texts]
    places: dict[str, list[int]] = {}
    for row, own in enumerate(pieces):
        for piece in own:
            places.setdefault(piece, []).append(row)
    shared: Counter[tuple[int, int]] = Counter()
    for rows in places.values():
        if len(rows) < 40:  # a piece of many messages says nothing
            shared.update((one, other) for place, one in enumerate(rows) for other in rows[place + 1 :])
    near = [
        (texts[one], texts[other])
        for (one, other), count in shared.items()
        if count > 0.8 * len(pieces[one] | pieces[other])
    ]
    assert near == []


@pytest.mark.slow
def test_messages_are_neither_trivial_nor_hopeless_for_a_linear_model() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    messages = sample("messages")
    model = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 3)), LinearSVC())
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    accuracy = cross_val_score(model, messages["text"], messages["label"], cv=folds).mean()
    assert 0.80 < accuracy < 0.97


def test_an_unknown_sample_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^no sample 'house'; did you mean 'houses'\?$"):
        read("sample:house")


def test_samples_are_fresh_at_each_call() -> None:
    sample("line")["x"].clear()
    assert list(pairwise(sample("line")["x"])) == [(1, 2), (2, 3), (3, 4), (4, 5)]
