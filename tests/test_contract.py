"""What every recipe keeps, whoever wrote it: the same weights on every surface, kills that cost nothing, all backends.

A new recipe is tested by being there: these tests ask `recipes.names()`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kerasllm as package
from kerasllm import recipes
from kerasllm.forks import Fork
from kerasllm.run import Run, create
from tests.answers import answer
from tests.conftest import SMALL, last_json
from tests.forked import Forked

pytestmark = pytest.mark.slow

Call = Callable[..., subprocess.CompletedProcess[str]]
KILLS = {"linear_regression": 10, "text_classifier": 10}
# So that a training lasts a few seconds.
EPOCHS = {"linear_regression": 100, "text_classifier": 30}


def hard(name: str, **more: Any) -> dict[str, Any]:
    """Settings under which going on exactly is hardest: shuffling, a schedule, dropout, early stopping."""
    fields = recipes.find(name).model_fields
    wanted: dict[str, Any] = {"epochs": 3, "batch_size": 16, "optimizer": "adam", "schedule": "cosine", "warmup": 0.1}
    wanted |= {"validation": 0.15, "early_stopping": 40, "dropout": 0.4, "seed": 7, **SMALL.get(name, {})}
    return {key: value for key, value in {**wanted, **more}.items() if key in fields}


def flags(values: dict[str, Any]) -> list[str]:
    return [word for key, value in values.items() for word in (f"--{key.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module", params=recipes.names())
def name(request: pytest.FixtureRequest) -> str:
    """Each recipe in turn; the tests of one stand side by side, so that few processes train it."""
    return str(request.param)


@pytest.fixture(scope="module")
def trained(name: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The recipe trained once, shortly, in this process."""
    return recipes.find(name)(**hard(name)).train(runs=tmp_path_factory.mktemp("trained"))


def test_one_seed_gives_the_same_weights_on_three_surfaces(
    name: str, trained: Run, kerasllm: Call, forked: Forked
) -> None:
    found = [*by_command_and_notebook(name, "tensorflow", kerasllm, forked), trained]
    assert [run.asked["surface"] for run in found] == ["cli", "notebook", "python"]
    assert len({run.report["weights"] for run in found}) == 1
    assert len({json.dumps(run.scores) for run in found}) == 1
    shown = last_json(kerasllm("show", str(found[0].path), "--json").stdout)
    assert shown["weights"] == found[0].report["weights"]


def test_one_seed_gives_the_same_weights_in_a_command_and_a_notebook_on_jax(
    name: str, kerasllm: Call, forked: Forked
) -> None:
    found = by_command_and_notebook(name, "jax", kerasllm, forked)
    assert len({run.report["weights"] for run in found}) == 1
    assert len({json.dumps(run.scores) for run in found}) == 1


def by_command_and_notebook(name: str, backend: str, kerasllm: Call, forked: Forked) -> list[Run]:
    """A recipe trained by the command line, and in a notebook's kernel."""
    values = hard(name)
    pairs = [word for key, value in values.items() for word in ("-p", key, str(value))]
    found = []
    for done in (
        forked.run(backend, "kerasllm", "train", name, *flags(values), "--json"),
        kerasllm("notebook", name, *pairs, "--json", backend=backend),
    ):
        assert done.returncode == 0, done.stderr
        found.append(Run(Path(last_json(done.stdout)["run"])))
    assert [run.sessions[0]["backend"] for run in found] == [backend] * 2
    return found


class Reader(threading.Thread):
    """Reads a run all the while, as a panel does; what it sees must never be broken."""

    def __init__(self, run: Run) -> None:
        super().__init__(daemon=True)
        self.run_read, self.states, self.error, self.done = run, set[str](), None, False

    def run(self) -> None:
        try:
            while not self.done:
                self.states.add(self.run_read.state)
                _ = self.run_read.status, self.run_read.scores, self.run_read.card, self.run_read.sessions
                steps = [line["step"] for line in self.run_read.epochs]
                assert steps == sorted(steps)
                time.sleep(0.005)
        except BaseException as error:
            self.error = error


def wait_for_training(run: Run, training: Fork) -> bool:
    while training.poll() is None:
        if run.state == "running" and run.status.get("phase") == "training":
            return True
        time.sleep(0.01)
    return False


def kill_and_compare(name: str, backend: str, kills: int, inside: int, forked: Forked) -> None:
    """Train once unbroken, once killed `kills` times, `inside` of them in a checkpoint write; compare the weights."""
    values = hard(name, epochs=EPOCHS.get(name, 20), checkpoint_minutes=0.002)
    whole, broken = (create(recipes.find(name)(**values), name=kind) for kind in ("whole", "broken"))
    draw = random.Random(name)
    reader = Reader(broken)

    def train(run: Run, fatal: int = 0) -> Fork:
        return forked.begin(backend, "tests.killed", str(run.path), str(fatal))

    assert train(whole).wait(600) == 0, whole.status
    reader.start()
    killed = 0
    for attempt in range(4 * kills):
        if killed == kills:
            break
        training = train(broken, 1 + draw.randrange(4) if attempt < inside else 0)
        if attempt < inside:
            training.wait(600)
            assert (broken.path / "killed").exists() or broken.state == "completed", broken.status
            (broken.path / "killed").unlink(missing_ok=True)
        else:
            # Some die before they train, most while they do.
            if draw.random() < 0.2:
                time.sleep(draw.uniform(0.0, 1.0))
            elif wait_for_training(broken, training):
                time.sleep(draw.uniform(0.0, 0.5))
            training.kill()
        if training.wait(600) == -signal.SIGKILL:
            killed += 1
            # The last moment too is one: then all is there.
            ended = broken.state == "completed" and broken.report["weights"] == whole.report["weights"]
            assert broken.state == "gone" or not broken.sessions or ended
    assert killed == kills
    assert train(broken).wait(600) == 0, broken.status
    reader.done = True
    reader.join()
    assert reader.error is None, reader.error
    assert {"gone", "running"} <= reader.states
    assert broken.state == "completed"
    assert broken.report["weights"] == whole.report["weights"]
    assert broken.report["splits"] == whole.report["splits"]
    assert [line["loss"] for line in broken.epochs] == [line["loss"] for line in whole.epochs]
    assert len(broken.sessions) == len([line for line in broken.sessions if line["data"]])


def test_kills_cost_nothing(name: str, forked: Forked) -> None:
    """Ten where a start takes a second or two; half as many of the deep networks, unless KERASLLM_KILLS says more."""
    kills = int(os.environ.get("KERASLLM_KILLS", KILLS.get(name, 5)))
    kill_and_compare(name, "tensorflow", kills=kills, inside=1 + kills // 5, forked=forked)


def test_kills_cost_nothing_on_jax(name: str, forked: Forked) -> None:
    kill_and_compare(name, "jax", kills=2, inside=1, forked=forked)


def test_torch_trains_an_epoch_and_all_backends_predict_alike(name: str, runs: Path, forked: Forked) -> None:
    pytest.importorskip("torch", reason="the torch backend is not installed")
    run = create(recipes.find(name)(**hard(name, epochs=1)), runs, "torch")
    answers = []
    for backend in ("torch", "jax"):
        done = forked.run(backend, "tests.answers", str(run.path))
        assert done.returncode == 0, done.stderr
        answers.append(last_json(done.stdout)["rows"])
    assert (run.state, run.sessions[0]["backend"]) == ("completed", "torch")
    for other in (answers[1], answer(run)):
        for mine, theirs in zip(answers[0], other, strict=True):
            assert numbers(mine) == pytest.approx(numbers(theirs), rel=1e-4, abs=1e-5)


def numbers(answer: dict[str, Any]) -> list[float]:
    return sorted(answer["probabilities"].values()) if "probabilities" in answer else list(answer.values())


def test_the_model_file_loads_without_kerasllm_and_answers_the_same(trained: Run) -> None:
    data = trained.recipe.read()
    rows = data.train.features
    inputs = data.encoder.encode(
        rows[:8] if isinstance(rows, list) else {key: cells[:8] for key, cells in rows.items()}
    )
    expected = trained.recipe.outputs(trained.model, inputs)
    code = (
        "import sys, keras\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False)\n"
        "assert not any(name.startswith('kerasllm') for name in sys.modules)\n"
        "print(model.count_params())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(trained.path / "model.keras")],
        text=True,
        capture_output=True,
        check=True,
    )
    assert int(done.stdout) == trained.model.count_params()
    import keras

    again = trained.recipe.outputs(keras.saving.load_model(trained.path / "model.keras", compile=False), inputs)
    assert (again == expected).all()


def test_inputs_and_outputs_are_named_and_every_layer_too(trained: Run) -> None:
    model = trained.model
    assert {tensor.name for tensor in model.inputs} <= {"ids", "mask", "numbers", "categories", "pixels"}
    assert model.output_names in (["logits"], ["value"])
    for weight in model.weights:
        assert not any(
            part[-1].isdigit() and part.rsplit("_", 1)[0] in ("dense", "embedding") for part in weight.path.split("/")
        )


def test_a_run_folder_holds_all_its_results(name: str, trained: Run) -> None:
    names = {path.name for path in trained.path.iterdir()}
    assert {
        "run.json",
        "sessions.jsonl",
        "status.json",
        "history.jsonl",
        "card.json",
        "model.keras",
        "scores.json",
    } <= names
    assert list((trained.path / "figures").glob("*.png"))
    assert trained.state == "completed"
    assert len(trained.history) == 3
    assert trained.scores["rows"] > 0
    assert trained.scores["main"] in trained.scores
    assert trained.status["step"] == trained.status["steps"]


def test_predict_and_evaluate_agree_with_the_scores(trained: Run) -> None:
    data = trained.recipe.read()
    assert data.test is not None
    answers = trained.predict(data.test.features)
    assert len(answers) == len(data.test) == trained.scores["rows"]
    assert trained.predict([]) == []


def test_the_users_keras_and_random_state_are_left_as_they_were(name: str) -> None:
    import keras
    import numpy as np

    keras.config.set_dtype_policy("mixed_bfloat16")
    random.seed(1)
    np.random.seed(1)
    before = (random.getstate(), np.random.get_state()[1].tolist())
    try:
        run = recipes.find(name)(**hard(name, epochs=1)).train()
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert (random.getstate(), np.random.get_state()[1].tolist()) == before
        assert all(weight.dtype in ("float32", "int32") for weight in run.model.weights)
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_completed_run_is_left_as_it_is(trained: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")}
    assert trained.resume().path == trained.path
    assert {path: path.stat().st_mtime_ns for path in trained.path.rglob("*")} == before
    assert package.open(trained.path).state == "completed"
