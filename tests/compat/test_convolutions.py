"""If `test_defect…` is skipped on a CPU with AVX512-BF16, remove the repair in compat/convolutions.py."""

import pytest
import torch
from torch import nn

from semseg import compat

compat.repair()
STOCK = nn.Conv2d._conv_forward.__wrapped__
REPAIRED = nn.Conv2d._conv_forward


def largest_error(forward, groups, dilation, monkeypatch):
    """Return the largest error of output, gradient of the input and gradient of the weights, each as a share."""
    monkeypatch.setattr(nn.Conv2d, "_conv_forward", forward)
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 32, 3, padding=dilation, dilation=dilation, groups=groups)
    inputs, gradient = torch.randn(4, 32, 40, 40), torch.randn(4, 32, 40, 40)
    results = []
    for layout, is_bf16 in ((torch.contiguous_format, False), (torch.channels_last, True)):
        conv.to(memory_format=layout).zero_grad()
        images = inputs.clone(memory_format=layout).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
            output = conv(images)
        output.backward(gradient.to(output.dtype, memory_format=layout))
        results.append([value.detach().float().clone() for value in (output, images.grad, conv.weight.grad)])
    return max(float((exact - value).abs().max() / exact.abs().max()) for exact, value in zip(*results, strict=True))


def test_defect_the_gradient_of_a_dilated_depthwise_convolution_is_still_wrong(monkeypatch):
    if largest_error(STOCK, 32, 2, monkeypatch) < 0.1:
        pytest.skip("right on this CPU, or with this PyTorch")


@pytest.mark.parametrize(("groups", "dilation"), [(32, 2), (32, 4), (4, 2), (32, 1), (1, 2)])
def test_gradients_in_bfloat16_and_channels_last_are_right(groups, dilation, monkeypatch):
    assert largest_error(REPAIRED, groups, dilation, monkeypatch) < 0.02


def test_without_gradients_and_in_float32_nothing_changes():
    torch.manual_seed(0)
    conv, images = nn.Conv2d(8, 8, 3, dilation=2, groups=8), torch.randn(1, 8, 20, 20)
    assert conv(images).equal(STOCK(conv, images, conv.weight, conv.bias))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert conv(images).equal(STOCK(conv, images, conv.weight, conv.bias))
