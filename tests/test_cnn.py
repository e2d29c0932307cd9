"""The networks for pictures: shapes, sizes that are pinned, seeds, and presets put to use."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from kerasllm.errors import needs

pytestmark = pytest.mark.slow

with needs("train"):
    import keras
    import keras_hub

    from kerasllm.models import cnn
    from kerasllm.models.image_preset import backbone, image_preset, scaling

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), "uint8")


@pytest.mark.parametrize(
    ("size", "channels", "depth", "parameters"),
    [(8, 1, 1, 53_218), (28, 1, 2, 262_594), (32, 3, 2, 263_794), (128, 3, 3, 1_100_530)],
)
def test_the_network_grows_with_the_picture(size: int, channels: int, depth: int, parameters: int) -> None:
    model = cnn(size, channels, 10)
    assert sum(layer.name.endswith("_pool") for layer in model.layers) == depth
    assert model.count_params() == parameters
    pixels = np.zeros((2, size, size, channels), "uint8")
    assert model({"pixels": pixels}).shape == (2, 10)


def test_the_listing_has_a_head_of_a_hundred_million_weights() -> None:
    model = cnn(224, 3, 10, filters=64, depth=2, residual=False, pooling="flatten", units=256)
    block = ["Conv2D", "BatchNormalization"]
    assert [type(layer).__name__ for layer in model.layers] == [
        *("InputLayer", "Normalization", *block, "ReLU", "MaxPooling2D", *block, "MaxPooling2D"),
        *("Flatten", "Dense", "Dropout", "Dense", "Activation"),
    ]
    assert model.get_layer("hidden").count_params() == 56 * 56 * 128 * 256 + 256
    assert model.count_params() == 102_839_690
    pooled = cnn(224, 3, 10, filters=64, depth=2, residual=False, units=256)
    assert pooled.count_params() == 112_010


def test_one_seed_gives_one_network() -> None:
    def weights(seed: int) -> list[np.ndarray]:
        found: list[np.ndarray] = cnn(16, 3, 2, seed=seed).get_weights()
        return found

    assert all((one == other).all() for one, other in zip(weights(1), weights(1), strict=True))
    assert any((one != other).any() for one, other in zip(weights(1), weights(2), strict=True))


def test_pixels_are_scaled_inside() -> None:
    model = cnn(16, 3, 2, mean=[100.0, 0.0, 50.0], variance=[4.0, 1.0, 25.0])
    scaled = keras.Model(model.inputs, model.get_layer("scaled").output)({"pixels": PIXELS})
    assert np.asarray(scaled) == pytest.approx((PIXELS - np.array([100.0, 0, 50])) / [2, 1, 5])


def test_the_file_loads_and_answers_the_same(tmp_path: Path) -> None:
    model = cnn(16, 3, 3, dropout=0.5, units=8, l2=0.1)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert (again.predict({"pixels": PIXELS}, verbose=0) == model.predict({"pixels": PIXELS}, verbose=0)).all()


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny backbones with random weights, saved as KerasHub saves its own."""
    folder = tmp_path_factory.mktemp("presets")
    resnet = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[3], stackwise_num_filters=[64, 8],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2], block_type="basic_block",
    )  # fmt: skip
    resnet.save_to_preset(folder / "resnet")
    keras_hub.layers.ResNetImageConverter(scale=[0.1, 0.2, 0.5], offset=[-1.0, 0.0, 3.0]).save_to_preset(
        folder / "resnet"
    )
    vit = keras_hub.models.ViTBackbone(
        image_shape=(16, 16, 3), patch_size=4, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8, dropout_rate=0.3
    )
    vit.save_to_preset(folder / "vit")
    return folder


def test_a_preset_brings_its_weights_and_its_scaling(presets: Path) -> None:
    network, converter = backbone(str(presets / "resnet"))
    whole = keras_hub.models.Backbone.from_preset(str(presets / "resnet"))
    model = image_preset(network, converter, 16, 3)
    features = keras.Model(model.inputs, model.get_layer("picture").output).predict({"pixels": PIXELS}, verbose=0)
    expected = whole.predict(np.asarray(converter(PIXELS.astype("float32"))), verbose=0).mean(axis=(1, 2))
    assert features == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert model.output.shape == (None, 3)


def test_only_what_is_tuned_learns(presets: Path) -> None:
    for tune in (False, True):
        network, converter = backbone(str(presets / "resnet"))
        before = network.get_weights()
        model = image_preset(network, converter, 16, 3, tune=tune)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, jit_compile=False)
        model.fit({"pixels": PIXELS}, np.array([0, 1, 2, 0]), verbose=0)
        changed = any((one != other).any() for one, other in zip(before, network.get_weights(), strict=True))
        assert changed == tune


def test_a_preset_without_an_image_converter_sees_0_to_1(presets: Path) -> None:
    network, converter = backbone(str(presets / "vit"))
    assert converter is None
    assert scaling(None) == ([0.0] * 3, pytest.approx([255.0**2] * 3))
    assert image_preset(network, None, 16, 2)({"pixels": PIXELS}).shape == (4, 2)


def test_a_presets_own_dropout_follows_the_seed_and_the_users_random_state_stays(presets: Path) -> None:
    def draws(seed: int) -> list[int]:
        network, _ = backbone(str(presets / "vit"), seed=seed)
        return [int(np.ravel(one)[0]) for one in network.variables if "seed" in one.path]

    random.seed(5)
    before = random.getstate()
    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert random.getstate() == before


def test_a_networks_file_with_a_preset_loads_again(presets: Path, tmp_path: Path) -> None:
    network, converter = backbone(str(presets / "resnet"))
    model = image_preset(network, converter, 16, 3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert (again.predict({"pixels": PIXELS}, verbose=0) == model.predict({"pixels": PIXELS}, verbose=0)).all()
