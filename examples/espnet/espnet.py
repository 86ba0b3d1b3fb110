"""ESPNet, a network of 0.36 million weights for street scenes, as a backbone and a decode head.

Mehta, Rastegari, Caspi, Shapiro, Hajishirzi: ESPNet: Efficient Spatial Pyramid of Dilated Convolutions for Semantic
Segmentation, ECCV 2018, https://arxiv.org/abs/1803.06815.

An ESP block replaces a wide convolution by four steps: *reduce* the channels by a pointwise convolution, *split* them
among parallel 3x3 convolutions with the dilations 1, 2, 4, 8, 16 (a pyramid), sum up the outputs from small to large
dilation, so that large dilations leave no grid in the features, and *merge* them.
"""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule, build_norm_layer
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

DILATIONS = (1, 2, 4, 8, 16)
NORM = dict(type="SyncBN", eps=1e-3, requires_grad=True)


class NormAct(nn.Module):
    """Batch norm and PReLU, after features were concatenated or added."""

    def __init__(self, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        self.norm = build_norm_layer(norm_cfg, channels)[1]
        self.act = nn.PReLU(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Normalize and activate."""
        return self.act(self.norm(features))


class EspBlock(nn.Module):
    """Reduce, split, transform, merge.

    Args:
        in_channels: of the input.
        out_channels: of the output; the branch with dilation 1 has the channels that remain after a division by five.
        norm_cfg: kind of normalization.
        stride: 2 halves the size, by the convolution that reduces the channels, which then is 3x3.
        residual: add the input to the output.
    """

    def __init__(
        self, in_channels: int, out_channels: int, norm_cfg: dict, stride: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        width = out_channels // len(DILATIONS)
        if not width:
            raise ValueError(
                f"an ESP block of {out_channels} channels: expected {len(DILATIONS)} or more, one for each dilation"
            )
        widths = [out_channels - width * (len(DILATIONS) - 1), *[width] * (len(DILATIONS) - 1)]
        kernel_size = 1 if stride == 1 else 3
        self.reduce = nn.Conv2d(in_channels, width, kernel_size, stride, kernel_size // 2, bias=False)
        self.branches = nn.ModuleList(
            nn.Conv2d(width, channels, 3, padding=dilation, dilation=dilation, bias=False)
            for channels, dilation in zip(widths, DILATIONS, strict=True)
        )
        self.residual = residual
        self.merge = NormAct(out_channels, norm_cfg)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same size, or of half the size with `stride=2`."""
        reduced = self.reduce(features)
        first, *others = [branch(reduced) for branch in self.branches]
        sums = [others[0]]
        for output in others[1:]:
            sums.append(sums[-1] + output)
        merged = torch.cat([first, *sums], dim=1)  # the first branch may have more channels, so it is not in the sums
        return self.merge(merged + features if self.residual else merged)


@MODELS.register_module()
class ESPNetEncoder(BaseModule):
    """The encoder, ESPNet-C without its classifier: features at 1/2, 1/4 and 1/8 of the image.

    Args:
        num_blocks: ESP blocks at 1/4 and at 1/8, p and q in the paper.
        norm_cfg: kind of normalization.
    """

    out_channels = (19, 131, 256)

    def __init__(
        self, num_blocks: Sequence[int] = (2, 8), norm_cfg: dict | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        norm = norm_cfg or NORM
        act = dict(type="PReLU", num_parameters=16)
        self.stem = ConvModule(3, 16, 3, stride=2, padding=1, norm_cfg=norm, act_cfg=act)
        self.shrink = nn.AvgPool2d(3, stride=2, padding=1)
        self.merge1 = NormAct(16 + 3, norm)
        self.down2 = EspBlock(16 + 3, 64, norm, stride=2)
        self.blocks2 = nn.Sequential(*(EspBlock(64, 64, norm, residual=True) for _ in range(num_blocks[0])))
        self.merge2 = NormAct(2 * 64 + 3, norm)
        self.down3 = EspBlock(2 * 64 + 3, 128, norm, stride=2)
        self.blocks3 = nn.Sequential(*(EspBlock(128, 128, norm, residual=True) for _ in range(num_blocks[1])))
        self.merge3 = NormAct(2 * 128, norm)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return features of 19, 131 and 256 channels, from normalized images of shape (N, 3, height, width)."""
        half = self.shrink(images)
        quarter = self.shrink(half)
        features1 = self.merge1(torch.cat([self.stem(images), half], dim=1))
        entry2 = self.down2(features1)
        features2 = self.merge2(torch.cat([self.blocks2(entry2), entry2, quarter], dim=1))
        entry3 = self.down3(features2)
        features3 = self.merge3(torch.cat([entry3, self.blocks3(entry3)], dim=1))
        return features1, features2, features3


@MODELS.register_module()
class ESPNetHead(BaseDecodeHead):
    """The decoder: from 1/8 to the size of the image in three steps, which double the size.

    The coarse features are projected to few channels, doubled in size, and merged with the next finer ones by an ESP
    block, then the same once more by a convolution.

    Args:
        kwargs: of MMSegmentation's `BaseDecodeHead`; `channels` is the width of the decoder. The authors use the number
            of classes.
    """

    def __init__(self, **kwargs) -> None:  # noqa: ANN003
        kwargs = {"in_channels": list(ESPNetEncoder.out_channels), "in_index": [0, 1, 2], "init_cfg": None, **kwargs}
        super().__init__(input_transform="multiple_select", **kwargs)
        norm, width = self.norm_cfg or NORM, self.channels
        fine, middle, coarse = self.in_channels
        self.project3 = nn.Conv2d(coarse, width, 1, bias=False)
        self.norm3 = build_norm_layer(norm, width)[1]
        self.up3 = _double(width, width)
        self.project2 = nn.Conv2d(middle, width, 1, bias=False)
        self.merge2 = NormAct(2 * width, norm)
        self.esp2 = EspBlock(2 * width, width, norm)
        self.up2 = _double(width, width)
        self.norm2 = NormAct(width, norm)
        act = dict(type="PReLU", num_parameters=width)
        self.merge1 = ConvModule(fine + width, width, 3, padding=1, norm_cfg=norm, act_cfg=act)
        del self.conv_seg  # the last step does not only classify, it doubles the size
        self.classify = _double(width, self.out_channels)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return scores at the size of the image, or one pixel more if its height or width is odd."""
        fine, middle, coarse = self._transform_inputs(inputs)
        raised = _fitted(self.up3(self.norm3(self.project3(coarse))), middle)
        merged = self.esp2(self.merge2(torch.cat([self.project2(middle), raised], dim=1)))
        raised = _fitted(self.norm2(self.up2(merged)), fine)
        features = self.merge1(torch.cat([raised, fine], dim=1))
        if self.dropout is not None:
            features = self.dropout(features)
        return self.classify(features)


def _double(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2, bias=False)


def _fitted(features: Tensor, other: Tensor) -> Tensor:
    """Cut off the pixel that features have more than finer ones if the image is not divisible by 8."""
    return features[..., : other.shape[2], : other.shape[3]]
