"""A loss of your own: cross entropy that weighs the pixels near borders between classes more."""

import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn


def near_borders(train_ids: Tensor, distance_px: int, ignore_index: int) -> Tensor:
    """Return where two classes lie within a square around a pixel, bool, shape (N, height, width).

    Args:
        train_ids: classes of the pixels, shape (N, height, width).
        distance_px: half of the side of the square.
        ignore_index: value of the pixels that do not count; they make no border.
    """
    ignored = train_ids == ignore_index
    values = train_ids.float()
    side = 2 * distance_px + 1
    highest = F.max_pool2d(values.masked_fill(ignored, float("-inf")), side, 1, distance_px)
    lowest = -F.max_pool2d(-values.masked_fill(ignored, float("inf")), side, 1, distance_px)
    return (highest > lowest) & ~ignored


@MODELS.register_module()
class EdgeWeightedLoss(nn.Module):
    """Cross entropy, in which a pixel near a border counts `1 + edge_weight` times.

    Thin objects such as poles consist of border pixels only, so they gain most.

    A loss gets the scores of the head and the classes of the pixels, and returns a number. Its `loss_name` begins with
    `loss_`: MMSegmentation adds up the values of these names.

    Args:
        edge_weight: additional weight of a pixel near a border.
        distance_px: how far from a border a pixel still is near, in pixels of the truth.
        loss_weight: factor of the whole loss.
        loss_name: name of the curve in the log.
    """

    def __init__(
        self,
        edge_weight: float = 2.0,
        distance_px: int = 2,
        loss_weight: float = 1.0,
        loss_name: str = "loss_edge",
    ) -> None:
        super().__init__()
        self.edge_weight, self.distance_px = edge_weight, distance_px
        self.loss_weight, self.loss_name = loss_weight, loss_name

    def forward(
        self, scores: Tensor, train_ids: Tensor, weight: Tensor | None = None, ignore_index: int = 255, **kwargs: object
    ) -> Tensor:
        """Return the weighted mean over the labelled pixels.

        Args:
            scores: of the head, resized to the truth, shape (N, num_classes, height, width).
            train_ids: the truth, shape (N, height, width).
            weight: of each pixel, from a pixel sampler (OHEM), or None.
            ignore_index: value of the pixels that do not count.
            kwargs: what MMSegmentation gives to some of its own losses.
        """
        weights = 1 + self.edge_weight * near_borders(train_ids, self.distance_px, ignore_index).float()
        weights = weights.masked_fill(train_ids == ignore_index, 0)
        if weight is not None:
            weights = weights * weight
        losses = F.cross_entropy(scores, train_ids, reduction="none", ignore_index=ignore_index)
        return self.loss_weight * (losses * weights).sum() / weights.sum().clamp(min=1)
