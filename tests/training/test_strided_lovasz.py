import pytest
import torch
from mmseg.models.losses import LovaszLoss

from semseg import compat
from semseg.training.strided_lovasz import StridedLovaszLoss

WHOLE = LovaszLoss(per_image=False, reduction="none")


def batch(height=6, width=8, classes=3):
    torch.manual_seed(0)
    labels = torch.randint(classes, (2, height, width))
    labels[0, :2] = 255
    return torch.randn(2, classes, height, width, requires_grad=True), labels


def test_with_stride_1_it_is_the_loss_of_all_pixels():
    scores, labels = batch()
    assert StridedLovaszLoss(stride=1)(scores, labels, ignore_index=255) == WHOLE(scores, labels, ignore_index=255)


@pytest.mark.parametrize("stride", [2, 3])
def test_it_is_the_loss_of_the_smaller_picture(stride):
    scores, labels = batch()
    larger = [x.repeat_interleave(stride, -1).repeat_interleave(stride, -2) for x in (scores, labels)]
    assert StridedLovaszLoss(stride=stride)(*larger, ignore_index=255) == WHOLE(scores, labels, ignore_index=255)


def test_over_many_batches_every_labelled_pixel_counts_and_no_other():
    scores, labels = batch(height=5, width=7)
    loss = StridedLovaszLoss(stride=2, loss_weight=2.0)
    torch.manual_seed(0)
    for _ in range(40):
        loss(scores, labels, ignore_index=255).backward()
    counted = scores.grad.abs().sum(1) > 0
    assert torch.equal(counted, labels != 255)


def test_a_batch_without_labels_has_zero_loss_and_gradient():
    compat.repair()
    scores, labels = batch()
    loss = StridedLovaszLoss()(scores, torch.full_like(labels, 255), ignore_index=255)
    loss.backward()
    assert loss == 0 and not scores.grad.any()


def test_a_stride_below_1_is_refused():
    with pytest.raises(ValueError, match="stride 0: expected a whole number, 1 or more"):
        StridedLovaszLoss(stride=0)
