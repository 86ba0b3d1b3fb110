"""The parts of a Runner, with the types that they have during a training; MMEngine declares wider types."""

from __future__ import annotations

from typing import Any, cast

from mmengine.model import BaseModel, is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop


def bare_model(runner: Any) -> BaseModel:
    """Return the model without the wrapper that several processes put around it."""
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return cast(BaseModel, model)


def optim_wrapper_of(runner: Any) -> OptimWrapper:
    """Return the optimizer wrapper; it is built when the training starts, before the hooks' `before_train`."""
    return cast(OptimWrapper, runner.optim_wrapper)


def train_loop_of(runner: Any) -> IterBasedTrainLoop | EpochBasedTrainLoop:
    """Return the training loop."""
    return cast("IterBasedTrainLoop | EpochBasedTrainLoop", runner.train_loop)
