"""The networks that a plan chooses from: configs of this project that were measured under the same budget."""

from __future__ import annotations

from typing import NamedTuple


class Network(NamedTuple):
    """A config that a plan inherits from.

    Attributes:
        title: for people.
        recipe: name of the config, which holds the model and how it is trained from scratch.
        stride: of the features from which it predicts.
        heads: keys of the heads in its model; the first one has the loss that a plan may replace.
        model: more values of the model, as in a config, by part.
    """

    title: str
    recipe: str
    stride: int
    heads: tuple[str, ...]
    model: tuple[tuple[str, str], ...] = ()


# mIoU on val of CamVid after 20 minutes on one core, from scratch, `semseg model compare configs/camvid/*.py --minutes
# 20`: PSPNet 60.8, CGNet 58.9, FPN 57.9, DeepLabV3+ 56.2, PIDNet-S 50.8, UNet 36.3. After 53 minutes on two cores: FPN
# 72.4 (configs/measured.json).
PSPNET = Network(
    "PSPNet on half a ResNet-18",
    "pspnet_r18-d8_1xb4-1600_camvid-320x320",
    8,
    ("decode_head", "auxiliary_head"),
)
FPN = Network("Semantic FPN on 3/4 of a ResNet-18", "fpn_r18_1xb4-1600_camvid-320x320", 4, ("decode_head",))
PRETRAINED_FPN = FPN._replace(  # the weights are those of a ResNet-18 of the full width, with four stages
    title="Semantic FPN on a pretrained ResNet-18",
    model=(
        (
            "backbone",
            "base_channels=64, stem_channels=64, num_stages=4, out_indices=(0, 1, 2, 3), dilations=(1, 1, 1, 1),"
            " strides=(1, 2, 2, 2)",
        ),
        ("neck", "in_channels=[64, 128, 256, 512], num_outs=4"),
        ("decode_head", "in_channels=[64, 64, 64, 64], in_index=[0, 1, 2, 3], feature_strides=[4, 8, 16, 32]"),
    ),
)
UNET = Network(
    "UNet with a quarter of its channels",
    "unet-s5-d16_fcn_1xb4-1600_camvid-320x320",
    1,
    ("decode_head", "auxiliary_head"),
)
