"""Weights for RGB become weights for N channels by the documented rule."""

import pytest
import torch

from semseg.training.input_channels import widen


@pytest.fixture
def weight():
    return torch.rand(5, 3, 7, 7, generator=torch.manual_seed(0))


@pytest.mark.parametrize("num_channels", [1, 2, 4, 6, 13])
def test_the_response_to_a_grey_picture_keeps_its_size(weight, num_channels):
    wide = widen(weight, num_channels)
    assert wide.shape == (5, num_channels, 7, 7)
    torch.testing.assert_close(wide.sum(dim=1), weight.sum(dim=1))


def test_without_names_every_channel_gets_the_mean(weight):
    wide = widen(weight, 6)
    for channel in range(6):
        torch.testing.assert_close(wide[:, channel], weight.mean(dim=1) * 0.5)


def test_named_channels_get_the_weights_of_their_colour(weight):
    wide = widen(weight, 4, rgb=[2, 1, 0])
    torch.testing.assert_close(wide[:, 2], weight[:, 0] * 0.75)
    torch.testing.assert_close(wide[:, 1], weight[:, 1] * 0.75)
    torch.testing.assert_close(wide[:, 0], weight[:, 2] * 0.75)
    torch.testing.assert_close(wide[:, 3], weight.mean(dim=1) * 0.75)
    torch.testing.assert_close(wide.sum(dim=1), weight.sum(dim=1))
