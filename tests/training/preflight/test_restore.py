import numpy as np
import pytest
import torch

from semseg.training.preflight.restore import preserved_state
from tests.training.toy_runs import toy_runner


def bytes_of(runner):
    wrapper = runner.optim_wrapper
    state = {name: tensor.numpy().tobytes() for name, tensor in runner.model.state_dict().items()}
    for number, values in enumerate(wrapper.optimizer.state.values()):
        state |= {f"{number}.{name}": torch.as_tensor(value).numpy().tobytes() for name, value in values.items()}
    return state


@pytest.mark.parametrize("num_iters", [0, 3], ids=["fresh", "resumed"])
@pytest.mark.parametrize("optimizer", [dict(type="SGD", lr=0.1, momentum=0.9), dict(type="AdamW", lr=0.1)])
def test_steps_are_undone(tmp_path, num_iters, optimizer):
    wrapper = dict(type="OptimWrapper", optimizer=dict(_delete_=True, **optimizer), clip_grad=dict(max_norm=1))
    runner = toy_runner(tmp_path, num_iters or 1, optim_wrapper=wrapper, interval=100)
    if num_iters:
        runner.train()
    else:
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.model.eval()
    model, wrapper, records = runner.model, runner.optim_wrapper, runner.message_hub.log_scalars
    batch = runner.train_dataloader.collate_fn([runner.train_dataloader.dataset[i] for i in range(2)])
    kept = bytes_of(runner), wrapper.inner_count, {name: len(record.data[0]) for name, record in records.items()}
    draws = torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()

    with preserved_state(runner):
        model.train()
        model.train_step(batch, wrapper)
        assert bytes_of(runner) != kept[0]
        torch.rand(1), np.random.rand()
        sum(parameter.sum() for parameter in model.parameters()).backward()

    assert (bytes_of(runner), wrapper.inner_count) == kept[:2]
    assert {name: len(record.data[0]) for name, record in records.items()} == kept[2]
    assert (torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()) == draws
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert wrapper.optimizer.param_groups[0]["params"][0] is next(model.parameters())


def test_steps_are_undone_after_an_error_too(tmp_path):
    runner = toy_runner(tmp_path)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    kept = bytes_of(runner)
    with pytest.raises(RuntimeError, match="x"), preserved_state(runner):
        runner.model.layer.weight.data.zero_()
        raise RuntimeError("x")
    assert bytes_of(runner) == kept
