"""Devices: what is used and told, bfloat16 where the hardware has it, several at once, no memory left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasllm import doctor
from kerasllm.cli.progress import draw
from kerasllm.errors import InputError
from kerasllm.recipes.linear_regression import LinearRegression
from kerasllm.run import Run, create, files
from tests.forked import Forked

pytestmark = pytest.mark.slow  # importing Keras takes seconds

pytest.importorskip("keras", reason="the train extra is not installed")

from kerasllm.training import devices, fit, provenance  # noqa: E402

LINE: dict[str, Any] = {"data": "sample:line", "epochs": 1}


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two cards, whose bfloat16 a test decides."""
    monkeypatch.setattr(devices, "gpus", lambda: ["gpu:0", "gpu:1"])


def test_the_only_backend_that_is_installed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax", reason="the jax backend is not installed")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    code = (
        "from importlib import util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name: None if name in ('tensorflow', 'torch') else find(name)\n"
        "import kerasllm.backend, keras\n"
        "print(keras.backend.backend())"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.stdout == "jax\n", done.stderr


@pytest.mark.parametrize("device", ["gpu", "gpus"])
def test_a_gpu_that_is_not_there_is_one_line(device: str) -> None:
    if devices.gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="no GPU that tensorflow can use; `kerasllm doctor` tells why"):
        LinearRegression(**LINE, device=device).train()


def test_the_cpu_is_used_where_it_is_asked_for_though_there_is_a_gpu(a_gpu: None) -> None:
    assert devices.used("cpu") == ["cpu:0"]
    assert devices.used("auto") == devices.used("gpu") == ["gpu:0"]
    assert devices.used("gpus") == ["gpu:0", "gpu:1"]
    assert provenance.session("cpu")["device"] == "cpu"


def test_a_card_that_the_backend_cannot_use_is_told_with_the_cure(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus", list)
    monkeypatch.setattr(doctor, "cards", lambda: ["NVIDIA A100"])
    assert "CUDA is missing: pip install 'kerasllm[gpu]'" in LinearRegression(**LINE).train().status["note"]
    assert not LinearRegression(**LINE, device="cpu").train().status["note"]


@pytest.mark.parametrize(("capability", "found"), [((7, 5), "float32"), ((8, 0), "mixed_bfloat16")])
def test_auto_is_bfloat16_where_the_hardware_has_it(
    capability: tuple[int, int], found: str, a_gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    details = {"compute_capability": capability, "device_name": "A card"}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    assert devices.policy("auto", "gpu") == found
    assert devices.policy("auto", "cpu") == devices.policy("float32", "gpu") == "float32"
    assert devices.policy("bfloat16", "cpu") == "mixed_bfloat16"
    told = provenance.session("gpus")
    assert (told["device"], told["devices"]) == ("gpu", ["A card", "A card"])
    assert provenance.line(told).startswith("2 x A card, tensorflow 2.")


def test_the_device_is_told_in_the_status_the_session_and_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    run = LinearRegression(**LINE, device="cpu").train()
    assert run.status["device"].startswith("cpu, tensorflow 2.")
    session = run.sessions[0]
    assert (session["device"], session["devices"]) == ("cpu", ["cpu"])
    assert session["threads"]["within_an_operation"] >= 1
    draw(run)
    assert f"device: {run.status['device']}\n" in capsys.readouterr().out


def test_the_threads_that_the_weights_depend_on_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    before = provenance.session()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "37")
    now = provenance.session()
    assert now["threads"] == {**before["threads"], "TF_NUM_INTRAOP_THREADS": "37", "within_an_operation": 37}
    assert "within_an_operation=37" in str(provenance.change(before, now))


def test_what_changed_between_sessions_is_told_in_one_line(runs: Path) -> None:
    recipe = LinearRegression(**LINE)
    run = create(recipe)
    before = provenance.session()
    before["versions"]["tensorflow"], before["cores"] = "2.0", 640
    files.append_line(run.path / "sessions.jsonl", {**before, "data": recipe.fingerprints()})
    run.resume()
    note = run.status["note"]
    assert note.startswith("not as when it began (cores 640 -> ")
    assert "tensorflow 2.0 -> 2." in note
    assert run.status["note_zh"].startswith("与开始时不同（cores 640 -> ")
    assert LinearRegression(**LINE).train().status["note"] == ""
    old = {"backend": "tensorflow", "device": "gpu", "threads": {}}  # as an earlier kerasllm wrote it
    assert "threads" in str(provenance.change(old, provenance.session()))


@pytest.mark.parametrize(("batch_size", "cure"), [(64, "try batch_size=32"), (1, "try a smaller network")])
def test_no_memory_left_is_one_line_with_what_to_try(
    batch_size: int, cure: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    def full(*words: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[64,9999]")

    monkeypatch.setattr(fit, "_fit", full)
    with pytest.raises(InputError, match=f"no memory left with batch_size={batch_size}: {cure}"):
        LinearRegression(**LINE, batch_size=batch_size).train(name="full")
    run = Run(runs / "full")
    assert run.state == "failed"
    assert cure in run.status["message"]


def test_an_error_that_is_not_of_memory_stays_what_it_is() -> None:
    import tensorflow as tf

    with pytest.raises(tf.errors.ResourceExhaustedError, match="too many files"), devices.memory(8):
        raise tf.errors.ResourceExhaustedError(None, None, "too many files")


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize("recipe", ["text_classifier", "bert_classifier", "image_classifier"])
def test_two_devices_end_with_the_losses_and_scores_of_one(
    recipe: str, backend: str, tmp_path: Path, forked: Forked
) -> None:
    """Batches of 7 on two devices, weighted classes: nothing divides evenly."""
    pytest.importorskip(backend)
    data = pictures(tmp_path / "pictures") if recipe == "image_classifier" else texts(tmp_path / "texts.csv")
    done = forked.run(backend, "tests.two_devices", str(tmp_path / "runs"), str(data), recipe)
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout.strip().splitlines()[-1])
    assert (one["devices"], two["devices"]) == (["cpu"], ["cpu", "cpu"])
    # The row that fills a batch of 7 up is in its mean and variance, where there is batch normalization.
    close = 0.1 if recipe == "image_classifier" else 1e-4
    assert two["scores"]["log_loss"] == pytest.approx(one["scores"]["log_loss"], rel=close)
    assert two["scores"]["accuracy"] == pytest.approx(one["scores"]["accuracy"], abs=close)
    for first, second in zip(one["epochs"], two["epochs"], strict=True):
        # A batch that was filled up counts with its full size in the curve.
        assert second["loss"] == pytest.approx(first["loss"], rel=max(close, 0.03))
        assert second["val_accuracy"] == pytest.approx(first["val_accuracy"], abs=0.1)


def texts(path: Path) -> Path:
    words = ["good fine nice", "bad poor", "so so, neither the one nor the other"]
    rows = [
        f'"{words[place % 3]} {"very " * (place % 3)}{place}",{place % 3 if place % 4 else 0}' for place in range(41)
    ]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return path


def pictures(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    for name, shade in (("dark", 60), ("light", 160)):
        (folder / name).mkdir(parents=True)
        for place in range(25):
            pixels = draw.integers(shade - 50, shade + 50, (8, 8, 3))
            Image.fromarray(pixels.astype("uint8")).save(folder / name / f"{place}.png")
    return folder


def test_batch_normalization_sees_the_whole_batch_of_several_devices_while_it_trains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Afterwards not: JAX and torch do not load a network that says so."""
    import keras

    from kerasllm.models import cnn

    network = cnn(8, 1, 2, filters=2)
    inputs = keras.Input((8, 8, 1))
    outer = keras.Model(inputs, network(inputs))
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert norms
    for parts in (1, 2):
        monkeypatch.setattr(devices, "parts", lambda parts=parts: parts)
        with devices.synchronized(outer):
            assert {layer.synchronized for layer in norms} == {parts > 1}
        assert not any(layer.synchronized for layer in norms)


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted as Linux does")
def test_a_steps_memory_is_kept_for_the_next() -> None:
    """Fresh memory costs a page fault for each 4 kB, in sum as long as the computing itself."""
    import resource

    import keras

    numbers = keras.ops.ones((4096, 4096))  # 64 MB: more than malloc ever keeps
    for _ in range(2):
        numbers * 2.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        numbers * 2.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 4096, "a quarter of one such tensor's pages"
