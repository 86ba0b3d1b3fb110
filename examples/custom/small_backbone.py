"""A backbone of your own: a few depthwise separable convolutions, 0.1 million weights."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class SmallBackbone(BaseModule):
    """Stages of depthwise separable convolutions; each one halves the size, except those after the third.

    A backbone is a module that returns a tuple of feature maps, from the finest to the coarsest. A decode head selects
    from the tuple with `in_index`, and `in_channels` of the head is the number of channels there.

    Args:
        channels: of each stage.
        depth: number of convolutions of each stage.
        norm_cfg: kind of normalization.
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 96, 128),
        depth: int = 2,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm_cfg = norm_cfg or dict(type="BN")
        self.stem = ConvModule(3, channels[0], 3, stride=2, padding=1, norm_cfg=norm_cfg)
        self.stages = nn.ModuleList()
        before = channels[0]
        for number, width in enumerate(channels):
            layers = []
            for layer in range(depth):
                stride = 2 if layer == 0 and number in (1, 2) else 1  # the features end at 1/8 of the image
                # wider fields of view in place of a smaller size
                dilation = 2 ** max(0, number - 2)
                layers.append(
                    DepthwiseSeparableConvModule(
                        before, width, 3, stride=stride, padding=dilation, dilation=dilation, norm_cfg=norm_cfg
                    )
                )
                before = width
            self.stages.append(nn.Sequential(*layers))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return a feature map of each stage, from normalized images of shape (N, 3, height, width)."""
        features = [self.stem(images)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return tuple(features[1:])
