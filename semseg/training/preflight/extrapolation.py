"""What a step takes, found on a part of the pixels first: on a CPU one that is too large would end the process."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch import nn

from semseg.training.preflight.batches import half, halved
from semseg.training.preflight.meter import Cost, Meter, OutOfMemory

_PATIENCE_S = 15  # for one step on a CPU

Step = Callable[[dict], Any]


class Outcome(NamedTuple):
    """Of a step that was tried.

    Attributes:
        meter: what it was measured with.
        cost: of the step; extrapolated, where a CPU would take long over it. None: it does not fit.
        need_bytes: extrapolated; None where a network takes one size only, or not even a part fits.
    """

    meter: Meter
    cost: Cost | None
    need_bytes: int | None


def try_step(model: nn.Module, step: Step, batch: dict, fixed_bytes: int = 0) -> Outcome:
    """Run a step if it fits, after it was run on a part of the pixels.

    Args:
        model: whose step it is.
        step: takes a batch.
        batch: the whole one; not changed.
        fixed_bytes: what does not grow with the pixels, and is not there before.
    """
    meter, whole = _extrapolate(model, step, batch, fixed_bytes)
    need = None if whole is None else whole.num_bytes
    if meter.is_cpu and whole is not None:
        if whole.num_bytes > meter.limit_bytes():
            return Outcome(meter, None, need)
        if whole.seconds > _PATIENCE_S:
            return Outcome(meter, whole, need)
    try:
        # the first one on a GPU looks for the fastest kernels
        costs = [meter.measure(lambda: step(copy.deepcopy(batch))) for _ in range(1 if meter.is_cpu else 2)]
    except OutOfMemory:
        return Outcome(meter, None, need)
    return Outcome(meter, Cost(costs[-1].seconds, max(cost.num_bytes for cost in costs)), need)


def _extrapolate(model: nn.Module, step: Step, batch: dict, fixed_bytes: int) -> tuple[Meter, Cost | None]:
    """Run a step on 1/64, 1/16 and 1/4 of the pixels, as far as that is not too much itself, and draw the line.

    Part of what it takes does not grow with the pixels: gradients, and what libraries keep.
    """
    device = next(model.parameters()).device
    meter, points, whole = Meter(device), [], None
    for halvings in (3, 2, 1):
        factor = 4**halvings
        patience_s = _PATIENCE_S / 4 if len(points) > 1 else 4 * _PATIENCE_S  # two points make a line
        is_much = whole is not None and (
            whole.num_bytes / factor > meter.limit_bytes() or whole.seconds / factor > patience_s
        )
        if is_much and meter.is_cpu:
            break
        small = batch
        with contextlib.ExitStack() as stack, contextlib.suppress(OutOfMemory):
            for _ in range(halvings):
                stack.enter_context(_half_as_large(model))
                small = halved(small)
            try:
                for _ in range(2):  # once more, when libraries and optimizer have taken what they keep
                    meter = Meter(device)
                    cost = meter.measure(lambda small=small: step(copy.deepcopy(small)))
                    if cost.seconds > 1 and points:
                        break
            except (RuntimeError, ValueError, AssertionError):  # too small for the network, or of the wrong size
                continue
            points.append((1 / factor, cost.num_bytes))
            whole = Cost(cost.seconds * factor, _on_the_line(points, meter.fixed_bytes + fixed_bytes))
    return meter, whole


def _on_the_line(points: list[tuple[float, int]], fixed_bytes: int) -> int:
    """Return what all pixels take, from the last two points (share of the pixels, bytes), or from one."""
    share, num_bytes = points[-1]
    growing = max(0, num_bytes - fixed_bytes) / share
    if len(points) > 1:
        growing = max(0, num_bytes - points[-2][1]) / (share - points[-2][0])
    return int(num_bytes + growing * (1 - share))


@contextlib.contextmanager
def _half_as_large(model: nn.Module) -> Iterator[None]:
    """Let what has a size of its own shrink with the pictures: the padding of batches, sliding windows."""
    preprocessor, test_cfg = getattr(model, "data_preprocessor", None), getattr(model, "test_cfg", None)
    size = getattr(preprocessor, "size", None)
    if size is not None:
        preprocessor.size = half((size, size) if isinstance(size, int) else size)
    windows = {key: half(test_cfg[key]) for key in ("crop_size", "stride") if key in (test_cfg or {})}
    try:
        with testing_as(model, {**(test_cfg or {}), **windows}):
            yield
    finally:
        if size is not None:
            preprocessor.size = size


@contextlib.contextmanager
def testing_as(model: nn.Module, test_cfg: dict) -> Iterator[None]:
    """Let a model predict with these settings meanwhile, if it has any."""
    given = getattr(model, "test_cfg", None)
    if isinstance(given, dict):
        model.test_cfg = type(given)(test_cfg)
    try:
        yield
    finally:
        if isinstance(given, dict):
            model.test_cfg = given
