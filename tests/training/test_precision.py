import pytest
import torch
from mmseg.registry import HOOKS, OPTIM_WRAPPERS

import semseg.plugins  # noqa: F401
from semseg.system import machine


def build(enabled):
    model = torch.nn.Conv2d(3, 4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, OPTIM_WRAPPERS.build(dict(type="Bf16OptimWrapper", enabled=enabled, optimizer=optimizer))


@pytest.mark.parametrize(("enabled", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_step_runs_in_the_chosen_precision_and_weights_stay_float32(enabled, dtype):
    model, wrapper = build(enabled)
    before = model.weight.clone()
    with wrapper.optim_context(model):
        output = model(torch.ones(1, 3, 2, 2))
    wrapper.update_params(output.float().mean())
    assert output.dtype == dtype
    assert model.weight.dtype == torch.float32
    assert not torch.equal(model.weight, before)


@pytest.mark.parametrize(("flags", "fast"), [({"amx_bf16"}, True), ({"avx2"}, False)])
def test_auto_is_on_where_the_hardware_is_fast(monkeypatch, flags, fast):
    monkeypatch.setattr(machine, "cpu_flags", lambda: flags)
    assert build("auto")[1].enabled == fast


def test_channels_last_changes_the_layout_and_not_the_result():
    class RunnerStandIn:
        model = torch.nn.Conv2d(3, 4, 3)

    image = torch.ones(1, 3, 8, 8)
    before = RunnerStandIn.model(image)
    HOOKS.build(dict(type="ChannelsLastHook")).before_run(RunnerStandIn)
    assert RunnerStandIn.model.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(RunnerStandIn.model(image), before)
