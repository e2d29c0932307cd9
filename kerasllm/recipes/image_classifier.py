"""image_classifier: which class a picture belongs to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from kerasllm.errors import InputError, in_one_line
from kerasllm.parameters import only_from_scratch, parameter, with_default
from kerasllm.tasks import Classifier

if TYPE_CHECKING:
    import keras

    from kerasllm.data import Data, Examples, Rows
    from kerasllm.training.batches import Batches

# When epochs is 0: the pictures shown in all, and the bounds of the passes that this makes.
SHOWN, FEWEST_EPOCHS, MOST_EPOCHS = 480_000, 5, 100
FROM_SCRATCH = ("filters", "depth", "residual", "pooling")


class ImageClassifier(Classifier):
    """Tell the class of a picture, with a convolutional network or a KerasHub preset.

    Mirrors the documents' CNN for pictures: a folder with a folder per class. See docs/benchmarks.md.
    """

    zh: ClassVar[str] = "用卷积网络或 KerasHub 预置模型，判断一张图片属于哪一类。"
    takes: ClassVar[tuple[str, ...]] = ("folder",)

    data: str = parameter(
        "sample:digits",
        "folder that holds a folder of pictures per class, or sample:digits",
        "每个类别一个图片文件夹的总文件夹，或 sample:digits",
        group="data",
        kind="file",
    )
    validation: str = parameter(
        "",
        "share of the pictures, or a folder, to watch the training by",
        "用来观察训练的图片所占比例，或一个文件夹",
        group="data",
        kind="file",
    )
    test: str = parameter(
        "0.2",
        "share of the pictures, or a folder, to score the result on",
        "用来给结果打分的图片所占比例，或一个文件夹",
        group="data",
        kind="file",
    )
    size: int = parameter(
        0,
        "side of the squares that pictures are scaled to; 0: their median side, 128 at most; 224 with a preset",
        "图片缩放成的正方形边长；0 为图片边长的中位数，最多 128；使用预置模型时为 224",
        group="data",
        ge=0,
        le=4096,
        unit="px",
    )
    colours: Literal["auto", "grey", "rgb"] = parameter(
        "auto",
        "auto: rgb where any picture has colour",
        "auto：只要有彩色图片就用 rgb",
        group="data",
        advanced=True,
    )
    fit: Literal["crop", "pad", "stretch"] = parameter(
        "crop",
        "how a picture becomes a square: its middle, white beside it, or stretched",
        "图片变成正方形的方式：取中间、两边补白，或拉伸",
        group="data",
        advanced=True,
    )
    preset: str = parameter(
        "",
        "KerasHub backbone in the network's place: a preset's name, hf://…, or a folder; none: train from scratch",
        "代替网络的 KerasHub 主干：预置模型名、hf://… 或文件夹；空则从零训练",
        group="network",
        advanced=True,
        kind="preset",
    )
    tune: bool = parameter(
        False,
        "train the preset's weights too, and not only the dense layers on it; with a small learning rate, such as 1e-5",
        "连同预置模型的权重一起训练，而不只训练其上的全连接层；学习率要小，如 1e-5",
        group="network",
        advanced=True,
    )
    filters: int = parameter(
        24, "of the first convolution; each block has twice as many", "第一个卷积的通道数；每块加倍",
        group="network", ge=1, le=1024,
    )  # fmt: skip
    depth: int = parameter(
        0,
        "blocks, each of which halves the side; 0: until it is 4 or less",
        "块数，每块使边长减半；0 为直到边长不超过 4",
        group="network",
        ge=0,
        le=10,
    )
    residual: bool = parameter(
        True,
        "shortcuts around pairs of convolutions; off: plain blocks of one, as in the listing",
        "在每两个卷积旁加捷径；关闭则为每块一个卷积的普通块，如文档所列",
        group="network",
        advanced=True,
    )
    pooling: Literal["average", "flatten"] = parameter(
        "average",
        "what the dense layers see of the last block: the mean of each filter, or all of it",
        "全连接层所见的最后一块：每个通道的均值，或全部",
        group="network",
        advanced=True,
    )
    units: int = parameter(
        0, "size of a dense layer after the pooling; 0: none", "池化后全连接层的大小；0 为没有",
        group="network", ge=0, le=65_536,
    )  # fmt: skip
    dropout: float = parameter(
        0.1, "share of what the last layer sees left out at each step", "每一步最后一层随机忽略的输入比例",
        group="network", ge=0, lt=1,
    )  # fmt: skip
    augment: bool = parameter(
        True,
        "change the training pictures a little in each epoch; off: shift, flip and cutout do nothing",
        "每轮训练对图片稍作变化；关闭则 shift、flip、cutout 都不起作用",
        group="training",
    )
    shift: float = parameter(
        0.125,
        "of the side at most by which a training picture is moved",
        "训练图片最多移动的边长比例",
        group="training",
        ge=0,
        lt=1,
    )
    flip: bool = parameter(
        False,
        "mirror half of the training pictures; for photographs, not for letters, digits or arrows",
        "将一半训练图片左右翻转；适合照片，不适合文字、数字或箭头",
        group="training",
    )
    cutout: float = parameter(
        0.0, "of the side, for a grey square somewhere on a training picture", "训练图片上灰色方块的边长比例",
        group="training", ge=0, lt=1, advanced=True,
    )  # fmt: skip
    epochs: int = parameter(
        0,
        f"passes over the pictures; 0: what shows {SHOWN} of them, {FEWEST_EPOCHS} to {MOST_EPOCHS}",
        f"遍历图片的次数；0 为总共展示 {SHOWN} 张图片所需的次数，{FEWEST_EPOCHS} 到 {MOST_EPOCHS}",
        group="training",
        ge=0,
        le=100_000,
    )
    batch_size: int = with_default(Classifier, "batch_size", 64)
    learning_rate: float = with_default(Classifier, "learning_rate", 2e-3)
    warmup: float = with_default(Classifier, "warmup", 0.15)
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = with_default(Classifier, "optimizer", "adamw")
    weight_decay: float = with_default(Classifier, "weight_decay", 0.02)

    @model_validator(mode="after")
    def _fits_the_preset(self) -> Self:
        if self.preset and self.colours == "grey":
            raise InputError(
                "a preset takes pictures with colours: leave colours at auto",
                "预设的网络需要彩色图片：请让 colours 保持 auto",
            )
        if self.preset:
            only_from_scratch(self, FROM_SCRATCH, self.preset)
        if self.tune and not self.preset:
            raise InputError(
                "tune trains a preset's weights, and there is no preset: name one, or set tune=False",
                "tune 用于训练预设的权重，但没有预设：请指定一个，或设 tune=False",
            )
        return self

    def fingerprint(self, file: str) -> str:
        """SHA-256 of a folder's pictures."""
        from kerasllm.data.picture_folder import fingerprint

        return fingerprint(file)

    def read(self, source: Any = None) -> Data:
        """Find, check and split the pictures; choose their size; learn the classes."""
        from kerasllm.data.pictures import read_pictures

        channels = {"auto": 3 if self.preset else 0, "grey": 1, "rgb": 3}[self.colours]
        return read_pictures(
            self.data if source is None else source,
            size=self.size or (224 if self.preset else 0),
            channels=channels,
            fit=self.fit,
            validation=self.validation,
            test=self.test,
            seed=self.seed,
        )

    def check(self, data: Any) -> None:
        """The picture must outlast the blocks; a preset must be there, and take pictures of this size."""
        super().check(data)
        size = data.encoder.size
        if self.preset:
            from kerasllm.presets.place import configuration

            settings = configuration(self.preset).get("config")
            self._check_shape(settings.get("image_shape") if isinstance(settings, dict) else None, size)
        elif size < 2 and not self.residual:
            raise InputError(
                f"size: {size} px is too little to be halved; set size, or residual=True",
                f"size：{size} 像素无法再减半；请设 size，或 residual=True",
            )
        elif 2**self.depth > size:
            raise InputError(
                f"depth: {self.depth} blocks halve {size} px to nothing; {size.bit_length() - 1} do, or set size",
                f"depth：{self.depth} 块会把 {size} 像素减半到零；{size.bit_length() - 1} 块可以，或设 size",
            )

    def labelled(self, source: Any, encoder: Any, decoder: Any) -> Rows:
        """A folder's pictures, of classes that training knew."""
        from kerasllm.data.pictures import labelled

        return labelled(source, encoder, decoder)

    def passes(self, steps: int, data: Any) -> int:
        """Small folders are gone over more often, so that each training shows about as many pictures."""
        return self.epochs or max(FEWEST_EPOCHS, min(MOST_EPOCHS, math.ceil(SHOWN / len(data.train))))

    def batches(self, examples: Examples, seed: int | None = None) -> Batches:
        """Training pictures are changed a little; others are left as they are."""
        if seed is None or not self.augment:
            return super().batches(examples, seed)
        from kerasllm.training.augmentation import Augmentation, AugmentedBatches

        return AugmentedBatches(examples, self.batch_size, seed, Augmentation(self.shift, self.flip, self.cutout))

    def build(self, data: Any) -> keras.Model:
        """The network, which scales pixels by the training pictures' mean and deviation; or a preset with a head."""
        from kerasllm.data.pictures import shades
        from kerasllm.models.cnn import cnn

        size, classes = data.encoder.size, len(data.decoder.names)
        head: dict[str, Any] = {
            "units": self.units,
            "dropout": self.dropout,
            "l1": self.l1,
            "l2": self.l2,
            "dtype": self.policy(),
            "seed": self.seed,
        }
        if self.preset:
            return self._from_preset(size, classes, **head)
        mean, variance = shades(data.training.inputs["pixels"])
        return cnn(
            size,
            data.encoder.channels,
            classes,
            filters=self.filters,
            depth=self.depth,
            residual=self.residual,
            pooling=self.pooling,
            mean=mean,
            variance=variance,
            **head,
        )

    def _from_preset(self, size: int, classes: int, **head: Any) -> keras.Model:
        from kerasllm.models.image_preset import backbone, image_preset
        from kerasllm.presets.keras_hub import DAMAGED

        try:
            network, converter = backbone(self.preset, dtype=self.policy(), seed=self.seed)
        except DAMAGED as error:
            raise InputError(
                f"preset: {self.preset!r} cannot be loaded: {in_one_line(error)}",
                f"preset：{self.preset!r} 无法加载：{in_one_line(error)}",
            ) from error
        shapes = [tuple(tensor.shape[1:]) for tensor in network.inputs]
        if len(shapes) != 1 or len(shapes[0]) != 3:
            raise InputError(
                f"preset: {self.preset!r} takes no pictures, but {shapes}",
                f"preset：{self.preset!r} 的输入不是图片，而是 {shapes}",
            )
        self._check_shape(shapes[0], size)
        return image_preset(network, converter, size, classes, tune=self.tune, **head)

    def _check_shape(self, shape: Any, size: int) -> None:
        """Raise InputError where a preset takes pictures of one size only, and not of this one."""
        fixed = shape[0] if isinstance(shape, (list, tuple)) and shape else None
        if fixed and fixed != size:
            raise InputError(
                f"preset: {self.preset!r} takes pictures of {fixed} px: set size={fixed}",
                f"preset：{self.preset!r} 的图片边长为 {fixed} 像素：请设 size={fixed}",
            )
