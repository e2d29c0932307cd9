"""Hidden states of a pretrained encoder are those of transformers and KerasHub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasllm.presets.hugging_face import read_safetensors
from tests.conftest import ROOT
from tests.presets.directories import directory, hidden, inputs, keras_hub_hidden, save_keras_hub, write_safetensors

slow = pytest.mark.slow
# transformers and KerasHub warn of what they will change; that is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


def transformers_hidden(place: Path, batch: dict[str, np.ndarray], **options: Any) -> np.ndarray:
    torch = pytest.importorskip("torch", reason="the torch extra is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    model = transformers.AutoModel.from_pretrained(place, dtype=torch.float32, **options).eval()
    with torch.no_grad():
        mask = torch.tensor(batch["mask"]).long()
        ids = torch.where(mask > 0, torch.tensor(batch["ids"]).long(), model.config.pad_token_id)
        found: np.ndarray = model(ids, attention_mask=mask).last_hidden_state.numpy()
    return found * batch["mask"][..., None]


@slow
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"dtype": "F16"},
        {"dtype": "BF16"},
        {"prefix": "bert."},
        {"hidden_act": "gelu_new"},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 1e-5},
        {"model_type": "xlm-roberta", "pad_token_id": 1, "type_vocab_size": 1},
        {"model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1, "prefix": "roberta."},
    ],
    ids=str,
)
def test_hidden_states_are_transformers_own(kind: dict[str, Any], tmp_path: Path) -> None:
    place = directory(tmp_path / "preset", **kind)
    batch = inputs(place)
    theirs = transformers_hidden(place, batch)
    assert np.abs(theirs).max() > 0.5
    np.testing.assert_allclose(hidden(place, batch), theirs, atol=1e-5)


@slow
@pytest.mark.parametrize("name", ["e5-small-zh", "minilm-l6-en"])
def test_real_checkpoints_give_transformers_hidden_states(name: str, shared: Path) -> None:
    place = shared.parent / "models" / name
    batch = inputs(place, ["今天天气真好，适合出去玩。" * 3, "Where is my order? It was shipped two weeks ago.", "a"])
    np.testing.assert_allclose(hidden(place, batch), transformers_hidden(place, batch), atol=1e-5)


@slow
@pytest.mark.parametrize("kind", ["Bert", "DistilBert", "Roberta"])
def test_a_keras_hub_directory_gives_keras_hubs_hidden_states(kind: str, tmp_path: Path) -> None:
    backbone = save_keras_hub(tmp_path / "preset", kind)
    batch = {"ids": np.array([[2, 9, 40, 3, 0], [2, 30, 60, 61, 3]], "int32"), "mask": np.ones((2, 5), bool)}
    batch["mask"][0, 4] = False
    np.testing.assert_allclose(hidden(tmp_path / "preset", batch), keras_hub_hidden(backbone, batch), atol=1e-5)


def test_stored_numbers_come_out_as_they_went_in(tmp_path: Path) -> None:
    values = {"a": np.array([[1.5, -2.0], [0.0, 3e4]], "float32"), "b": np.array([0.25], "float32")}
    for dtype in ("F32", "F16", "BF16"):
        write_safetensors(tmp_path / "x.safetensors", values, dtype)
        found = read_safetensors(tmp_path / "x.safetensors")
        for name, value in values.items():
            np.testing.assert_allclose(found[name].astype("float32"), value, rtol=1e-2)


def test_finding_and_reading_a_preset_imports_no_keras(tmp_path: Path) -> None:

    place = directory(tmp_path / "preset")
    code = (
        "import sys; from kerasllm.presets import find; preset = find(sys.argv[1]); preset.tokenizer(); "
        "preset.weights(3); assert not {'keras', 'keras_hub', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(place)], check=True, cwd=ROOT)
