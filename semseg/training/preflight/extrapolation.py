"""Measure a step on a part of the pixels first: on a CPU, a step that is too large would kill the process."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from torch import nn

from semseg.training.preflight.batches import half_size, halved
from semseg.training.preflight.meter import Cost, Meter, OutOfMemory

_MAX_STEP_S = 15  # for one step on a CPU
_REPEATED_S = 4  # a step up to here is measured twice: the first one of a size chooses and compiles kernels

Step = Callable[[dict], Any]


class Outcome(NamedTuple):
    """The result of trying a step.

    Attributes:
        meter: that measured it.
        cost: of the step; extrapolated if it would take long on a CPU. None: it does not fit.
        need_bytes: extrapolated; None if the network accepts only one size, or if not even a part fits.
    """

    meter: Meter
    cost: Cost | None
    need_bytes: int | None


def try_step(model: nn.Module, step: Step, batch: dict, fixed_bytes: int = 0) -> Outcome:
    """Run a step on a part of the pixels, then on all pixels if it fits.

    Args:
        model: of the step.
        step: takes a batch.
        batch: the full batch; not changed.
        fixed_bytes: memory that the step allocates and that does not grow with the number of pixels.
    """
    meter, whole = _extrapolate(model, step, batch, fixed_bytes)
    need = None if whole is None else whole.num_bytes
    if meter.is_cpu and whole is not None:
        if whole.num_bytes > meter.limit_bytes():
            return Outcome(meter, None, need)
        if whole.seconds > _MAX_STEP_S:
            return Outcome(meter, whole, need)
    try:
        return Outcome(meter, _measure(meter, step, batch), need)
    except OutOfMemory:
        return Outcome(meter, None, need)


def _measure(meter: Meter, step: Step, batch: dict) -> Cost:
    """Measure a step, on a CPU only once if it takes long; return the shortest time and the largest memory."""
    costs = [meter.measure(lambda: step(copy.deepcopy(batch)))]
    if not meter.is_cpu or costs[0].seconds <= _REPEATED_S:
        costs.append(meter.measure(lambda: step(copy.deepcopy(batch))))
    return Cost(min(cost.seconds for cost in costs), max(cost.num_bytes for cost in costs))


def _extrapolate(model: nn.Module, step: Step, batch: dict, fixed_bytes: int) -> tuple[Meter, Cost | None]:
    """Run a step on 1/64, 1/16 and 1/4 of the pixels, unless that is too expensive itself, and extrapolate linearly.

    Part of the memory does not grow with the number of pixels: gradients, and the caches of libraries.
    """
    device = next(model.parameters()).device
    meter, whole = Meter(device), None
    points: list[tuple[float, int]] = []  # share of the pixels, bytes
    for num_halvings in (3, 2, 1):
        factor = 4**num_halvings
        max_s = _MAX_STEP_S / 4 if len(points) > 1 else 4 * _MAX_STEP_S  # a line needs two points
        is_too_expensive = whole is not None and (
            whole.num_bytes / factor > meter.limit_bytes() or whole.seconds / factor > max_s
        )
        if is_too_expensive and meter.is_cpu:
            break
        small = batch
        with contextlib.ExitStack() as stack, contextlib.suppress(OutOfMemory):
            for _ in range(num_halvings):
                stack.enter_context(_with_half_sizes(model))
                small = halved(small)
            try:
                seconds = float("inf")
                for _ in range(2):  # the second time, libraries and optimizer have allocated what they keep
                    meter = Meter(device)
                    cost = meter.measure(lambda small=small: step(copy.deepcopy(small)))
                    seconds = min(seconds, cost.seconds)
                    if cost.seconds > _REPEATED_S and points:
                        break
            except (RuntimeError, ValueError, AssertionError):  # too small, or a wrong size, for the network
                continue
            points.append((1 / factor, cost.num_bytes))
            whole = Cost(seconds * factor, _extrapolated_bytes(points, meter.fixed_bytes + fixed_bytes))
    return meter, whole


def _extrapolated_bytes(points: list[tuple[float, int]], fixed_bytes: int) -> int:
    """Return the bytes for all pixels, from the last two points (share of the pixels, bytes), or from one."""
    share, num_bytes = points[-1]
    growing = max(0, num_bytes - fixed_bytes) / share
    if len(points) > 1:
        growing = max(0, num_bytes - points[-2][1]) / (share - points[-2][0])
    return int(num_bytes + growing * (1 - share))


@contextlib.contextmanager
def _with_half_sizes(model: nn.Module) -> Generator[None]:
    """Halve the sizes that a model has itself, in the block: of the padding of batches, and of sliding windows."""
    preprocessor: Any = getattr(model, "data_preprocessor", None)
    test_cfg: Any = getattr(model, "test_cfg", None) or {}
    size = getattr(preprocessor, "size", None)
    if size is not None:
        preprocessor.size = half_size((size, size) if isinstance(size, int) else size)
    windows = {key: half_size(test_cfg[key]) for key in ("crop_size", "stride") if key in test_cfg}
    try:
        with using_test_cfg(model, {**test_cfg, **windows}):
            yield
    finally:
        if size is not None:
            preprocessor.size = size


@contextlib.contextmanager
def using_test_cfg(model: nn.Module, test_cfg: dict) -> Generator[None]:
    """Replace the `test_cfg` of a model in the block, if it has one."""
    segmentor: Any = model
    own = getattr(segmentor, "test_cfg", None)
    if isinstance(own, dict):
        segmentor.test_cfg = type(own)(test_cfg)
    try:
        yield
    finally:
        if isinstance(own, dict):
            segmentor.test_cfg = own
