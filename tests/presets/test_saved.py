"""A fine-tuned encoder saved as a preset, for KerasHub and for kerasllm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers.normalizers import BertNormalizer

from kerasllm.errors import InputError
from kerasllm.presets import find
from kerasllm.presets.architecture import word_piece
from tests.presets.directories import VOCABULARY, directory, hidden, inputs, keras_hub_hidden

slow = pytest.mark.slow
# transformers and KerasHub warn of what they will change; that is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


@slow
@pytest.mark.parametrize("settings", [{}, {"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-5}], ids=str)
def test_a_trained_encoder_goes_to_a_keras_hub_preset_and_back(settings: dict[str, Any], tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub", reason="the train extra is not installed")
    from kerasllm.models.bert import encoder
    from kerasllm.presets import save_to_preset
    from kerasllm.recipes.bert_classifier import BertClassifier

    rows = {"text": ["good weather", "真好", "bad day!", "气"] * 10, "label": ["yes", "yes", "no", "no"] * 10}
    place = directory(tmp_path / "preset", **settings)
    run = BertClassifier(preset=str(place), max_length=12, epochs=1, learning_rate=0.01).train(rows)
    saved = save_to_preset(run, tmp_path / "saved")
    batch = inputs(place)
    tuned = encoder(run.model).predict(batch, verbose=0) * batch["mask"][..., None]
    assert np.abs(tuned - hidden(place, batch)).max() > 1e-3

    np.testing.assert_allclose(hidden(saved, batch), tuned, atol=1e-6)
    backbone = keras_hub.models.Backbone.from_preset(str(saved))
    np.testing.assert_allclose(keras_hub_hidden(backbone, batch), tuned, atol=1e-5)
    mine = find(str(place)).tokenizer()
    assert find(str(saved)).tokenizer().to_str() == mine.to_str()
    if "layer_norm_eps" not in settings:
        theirs = keras_hub.models.Tokenizer.from_preset(str(saved))
        for text in ("Café, goodly", "天气真好!"):
            assert np.asarray(theirs(text)).tolist() == mine.encode(text, add_special_tokens=False).ids
    with pytest.raises(InputError, match="is not empty"):
        save_to_preset(run, saved)


@slow
@pytest.mark.parametrize("normalizer", [None, {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]}], ids=str)
def test_a_wordpiece_with_another_normalizer_is_saved_for_kerasllm_only(normalizer: Any, tmp_path: Path) -> None:
    pytest.importorskip("keras_hub", reason="the train extra is not installed")
    from kerasllm.presets import save_to_preset
    from kerasllm.recipes.bert_classifier import BertClassifier

    place = directory(tmp_path / "preset")
    told = json.loads(word_piece(VOCABULARY, BertNormalizer(lowercase=True)).to_str()) | {"normalizer": normalizer}
    (place / "tokenizer.json").write_text(json.dumps(told))
    rows = {"text": ["good weather", "bad day"] * 10, "label": ["yes", "no"] * 10}
    run = BertClassifier(preset=str(place), max_length=12, epochs=1).train(rows)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file; choose a folder"):
        save_to_preset(run, tmp_path / "file")
    saved = save_to_preset(run, tmp_path / "saved")
    assert find(str(saved)).tokenizer().to_str() == find(str(place)).tokenizer().to_str()
    assert not (saved / "tokenizer.json").exists()
