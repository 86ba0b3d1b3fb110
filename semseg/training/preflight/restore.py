"""A run that is as it was before, whatever was tried on it."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.logging import MessageHub
from mmengine.model import is_model_wrapper
from torch import nn


def bare_model(runner: Any) -> nn.Module:
    """Return the model of a runner without the wrapper that several processes put around it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


@contextmanager
def untouched(runner: Any) -> Iterator[Callable[[], None]]:
    """Lend a runner for training and validation steps, and put everything back: bit for bit.

    That is: weights, buffers (the statistics of batch norms), which modules train, gradients, the optimizer
    with its state, its wrapper with the counters and the loss scale, the records of the log, and the states of
    all random numbers. The copies lie in the main memory, not in that of a GPU.

    Args:
        runner: MMEngine's, ready to train, with one optimizer; its gradients are those of no step yet.

    Yields:
        A function that puts the weights and buffers back before the end of the block, and nothing else: steps on
        small pictures may leave weights that predict no numbers.
    """
    model, wrapper = bare_model(runner), runner.optim_wrapper
    optimizer = wrapper.optimizer
    tensors = [*model.parameters(), *model.buffers()]
    modes = [(module, module.training) for module in model.modules()]
    states = {parameter: dict(values) for parameter, values in optimizer.state.items()}
    tensors += [value for values in states.values() for value in values.values() if torch.is_tensor(value)]
    groups = [{key: copy.copy(value) for key, value in group.items()} for group in optimizer.param_groups]
    attributes = dict(vars(wrapper))
    scaler = getattr(wrapper, "loss_scaler", None)
    loss_scale = None if scaler is None else scaler.state_dict()
    kept = [tensor.detach().to("cpu", copy=True) for tensor in tensors]

    def put_back() -> None:
        with torch.no_grad():
            for tensor, values in zip(tensors, kept, strict=True):
                tensor.copy_(values)

    wrapper.message_hub = MessageHub("trial")  # made by hand it is nobody's current one
    try:
        with _same_randomness():
            yield put_back
    finally:
        put_back()
        for module, mode in modes:
            module.training = mode
        model.zero_grad(set_to_none=True)
        optimizer.state.clear()
        optimizer.state.update(states)
        for group, values in zip(optimizer.param_groups, groups, strict=True):
            group.update(values)
        vars(wrapper).clear()
        vars(wrapper).update(attributes)
        if loss_scale:
            scaler.load_state_dict(loss_scale)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


@contextmanager
def _same_randomness() -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
