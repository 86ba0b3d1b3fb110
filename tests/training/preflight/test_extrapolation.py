import time

import pytest
import torch
from torch import nn

from semseg.training.preflight.extrapolation import try_step
from tests.training.preflight.test_steps import LINUX, bounded_memory

MIB = 1 << 20


class Model(nn.Module):
    """A model with one weight, which has a device."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


def batch_of(height, width):
    return dict(inputs=[torch.zeros(3, height, width, dtype=torch.uint8)], data_samples=[])


@LINUX
def test_memory_that_does_not_grow_with_the_pixels_is_counted_once():
    seen = []

    def step(batch):
        height, width = batch["inputs"][0].shape[-2:]
        seen.append((height, width))
        torch.ones(8 * MIB), torch.ones(height * width * 16)  # 32 MiB, and 64 bytes a pixel

    meter, cost, need = try_step(Model(), step, batch_of(1024, 1024))
    assert seen[0] == (128, 128)
    assert seen[-1] == (1024, 1024)
    assert need == pytest.approx(96 * MIB, rel=0.25)
    assert cost.num_bytes == pytest.approx(96 * MIB, rel=0.25)
    assert meter.is_cpu


def test_a_network_of_one_size_is_tried_directly_and_its_error_is_raised():
    def step(batch):
        if batch["inputs"][0].shape[-1] != 64:
            raise RuntimeError("the size of tensor a must match the size of tensor b")

    _, cost, need = try_step(Model(), step, batch_of(64, 64))
    assert cost is not None
    assert need is None
    with pytest.raises(RuntimeError, match="the size of tensor a must match"):
        try_step(Model(), step, batch_of(96, 96))


@LINUX
def test_a_step_that_would_not_fit_is_not_run():
    sides = []

    def step(batch):
        height, width = batch["inputs"][0].shape[-2:]
        sides.append(height)
        torch.ones(height * width * 1024)  # 4 KiB a pixel

    with bounded_memory(200 * MIB):
        _, cost, need = try_step(Model(), step, batch_of(512, 512))
    assert cost is None
    assert need == pytest.approx(1024 * MIB, rel=0.25)
    assert sides == [64, 64, 128, 128]  # a quarter of it would not fit, either


def test_the_time_is_that_of_a_step_whose_kernels_are_compiled():
    sides = []

    def step(batch):
        side = batch["inputs"][0].shape[-1]
        if sides.count(side) == 0:
            time.sleep(1.2)  # 16 times this would be too expensive
        sides.append(side)
        time.sleep(side**2 * 1e-6)

    _, cost, _ = try_step(Model(), step, batch_of(256, 256))
    assert sides == [32, 32, 64, 64, 128, 128, 256, 256]
    assert 0.06 < cost.seconds < 1.2
