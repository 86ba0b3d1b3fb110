"""Restore the state of a run after steps were tried on it."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.logging import MessageHub

from semseg.training.runner_parts import bare_model


@contextmanager
def preserved_state(runner: Any) -> Generator[Callable[[], None]]:
    """Restore a runner, bit for bit, after training and validation steps in the block.

    Restored are weights, buffers (the statistics of batch norms), the training mode of modules, gradients, the
    optimizer with its state, its wrapper with the counters and the loss scale, the records of the log, and the states
    of all random generators. The copies are in the main memory, not in that of a GPU.

    Args:
        runner: MMEngine's, ready to train, with one optimizer and no accumulated gradients.

    Yields:
        A function that restores only the weights and buffers, before the end of the block: steps on small pictures may
        leave weights that predict nan.
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

    def restore_tensors() -> None:
        with torch.no_grad():
            for tensor, values in zip(tensors, kept, strict=True):
                tensor.copy_(values)

    wrapper.message_hub = MessageHub("trial")  # not registered as the current one, unlike by get_instance()
    try:
        with _preserved_random_states():
            yield restore_tensors
    finally:
        restore_tensors()
        for module, mode in modes:
            module.training = mode
        model.zero_grad(set_to_none=True)
        optimizer.state.clear()
        optimizer.state.update(states)
        for group, values in zip(optimizer.param_groups, groups, strict=True):
            group.update(values)
        vars(wrapper).clear()
        vars(wrapper).update(attributes)
        if scaler is not None and loss_scale:
            scaler.load_state_dict(loss_scale)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


@contextmanager
def _preserved_random_states() -> Generator[None]:
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
