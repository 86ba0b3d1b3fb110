"""The losses of MMSegmentation's heads with kernels that are fast on CPUs."""

import sys

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.decode_heads import decode_head
from mmseg.models.losses import accuracy
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from semseg import compat
from semseg.compat.loss_kernels import fast_losses, scale_by_products, share_of_right

compat.repair()
CPU = torch.device("cpu")


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("sizes", [((4, 8), (32, 64)), ((5, 7), (13, 29)), ((1, 3), (8, 8)), ((16, 16), (16, 16))])
def test_products_scale_as_interpolation_does_and_have_its_gradient(sizes, align_corners):
    scores = torch.randn(2, 3, *sizes[0], requires_grad=True)
    weights = torch.randn(2, 3, *sizes[1])
    expected = F.interpolate(scores, sizes[1], mode="bilinear", align_corners=align_corners)
    scaled = scale_by_products(scores, sizes[1], align_corners)
    torch.testing.assert_close(scaled, expected, atol=1e-5, rtol=1e-5)
    (own,) = torch.autograd.grad((scaled * weights).sum(), scores)
    (reference,) = torch.autograd.grad((expected * weights).sum(), scores)
    torch.testing.assert_close(own, reference, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("ignored", [None, 255, 2])
def test_the_share_of_right_pixels_is_that_of_mmsegmentation(ignored):
    scores, target = torch.randn(2, 5, 9, 7), torch.randint(5, (2, 9, 7))
    if ignored == 255:
        target[0, :4] = 255
    expected = accuracy(scores, target, ignore_index=ignored)
    torch.testing.assert_close(share_of_right(scores, target, ignored), expected)


def test_a_class_without_a_score_is_wrong():
    scores, target = torch.randn(2, 1, 9, 7), torch.randint(2, (2, 9, 7))  # two classes, one channel
    torch.testing.assert_close(share_of_right(scores, target, 255), accuracy(scores, target, ignore_index=255))


def test_the_share_is_0_without_a_pixel_that_counts():
    share = share_of_right(torch.randn(1, 3, 4, 4), torch.full((1, 4, 4), 255), 255)
    torch.testing.assert_close(share, accuracy(torch.randn(1, 3, 4, 4), torch.full((1, 4, 4), 255), ignore_index=255))


HEADS = {
    "FCNHead": dict(in_channels=8, in_index=0, num_convs=1, loss_decode=dict(type="CrossEntropyLoss")),
    "DDRHead": dict(in_channels=8, loss_decode=[dict(type="OhemCrossEntropy", min_kept=10)] * 2),
}
INPUTS = {
    "FCNHead": lambda: [torch.randn(2, 8, 8, 16)],
    "DDRHead": lambda: (torch.randn(2, 4, 8, 16), torch.randn(2, 8, 8, 16)),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_has_the_same_losses_and_gradients(name):
    torch.manual_seed(0)
    head = MODELS.build(dict(type=name, channels=8, num_classes=5, norm_cfg=dict(type="BN"), **HEADS[name])).train()
    inputs, samples = INPUTS[name](), []
    for _ in range(2):
        train_ids = torch.randint(5, (1, 32, 64))
        train_ids[:, :3] = 255
        samples.append(SegDataSample(gt_sem_seg=PixelData(data=train_ids)))

    def computed():
        head.zero_grad()
        torch.manual_seed(1)  # dropout
        losses = head.loss(inputs, samples, {})
        sum(value for key, value in losses.items() if "loss" in key).backward()
        return losses, [parameter.grad.clone() for parameter in head.parameters()]

    expected = computed()
    with fast_losses(CPU):
        assert module_of(head).resize is not resize
        own = computed()
    assert module_of(head).resize is resize
    assert module_of(head).accuracy is accuracy
    torch.testing.assert_close(own, expected, atol=1e-5, rtol=1e-4)


def module_of(head):
    return sys.modules[type(head).loss_by_feat.__module__]


def test_the_functions_of_mmsegmentation_are_back_after_an_error():
    with pytest.raises(ZeroDivisionError), fast_losses(CPU):
        assert decode_head.accuracy is not accuracy
        raise ZeroDivisionError
    assert decode_head.accuracy is accuracy


def test_nothing_changes_on_another_device_or_in_a_prediction():
    with fast_losses(torch.device("cuda")):
        assert decode_head.resize is resize
    scores = torch.randn(1, 3, 4, 4)
    with fast_losses(CPU), torch.no_grad():
        scaled = decode_head.resize(scores, (8, 8), mode="bilinear", align_corners=False)
    assert torch.equal(scaled, resize(scores, (8, 8), mode="bilinear", align_corners=False))
