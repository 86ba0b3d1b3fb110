"""One training step and one validation step, and what to do when they don't fit."""

from __future__ import annotations

import contextlib
import copy
import functools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.runner.amp import autocast
from mmengine.structures import PixelData
from torch import nn
from torch.nn import functional

from semseg.errors import InvalidConfigError
from semseg.system.machine import format_bytes
from semseg.training.preflight.batches import Largest, corner
from semseg.training.preflight.extrapolation import testing_as, try_step
from semseg.training.preflight.meter import Cost, Meter, OutOfMemory
from semseg.training.preflight.restore import bare_model

_ADVANCE = 2 / 3  # of its side from tile to tile, as in MMSegmentation's configs
_QUICK_S = 0.5  # for a tile


class Training(NamedTuple):
    """What a training step is like.

    Attributes:
        cost: of one step.
        state_bytes: of the optimizer.
        without_gradient: parameters that learn, and that no gradient reached: by their names, and those of whole
            modules by its.
    """

    cost: Cost
    state_bytes: int
    without_gradient: tuple[str, ...]


def try_training(runner: Any, batch: dict) -> Training:
    """Train a few steps: first on a part of the pixels, then on all.

    In several processes the model is taken without its wrapper, so that a process that meets a fault does not
    leave the others waiting for it.

    Args:
        runner: lent by `untouched`.
        batch: of the training.

    Raises:
        ValueError: it does not fit; the sentence names the batch that does.
    """
    model, wrapper = bare_model(runner), runner.optim_wrapper
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    reached: set[str] = set()
    hooks = [
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: reached.add(name))
        for name, parameter in learning.items()
    ]
    wrapper.initialize_count_status(nn.Identity(), 0, -1)  # a resumed run may be near its end

    def step(data: dict) -> None:
        # of the class: a compiled step would be compiled for the small pictures too
        type(model).train_step(model, data, optim_wrapper=wrapper)
        if not wrapper.should_update():
            wrapper.step()  # so that the optimizer has its state, as after the first update

    model.train()
    try:
        with _alone(model, len(batch["inputs"])):
            gradient_bytes = sum(parameter.numel() * parameter.element_size() for parameter in learning.values())
            meter, cost, need = try_step(model, step, batch, gradient_bytes)
        if cost is None:
            fixed_bytes = meter.fixed_bytes + gradient_bytes
            raise InvalidConfigError(_smaller_batch(runner, batch, need, fixed_bytes, meter.limit_bytes()))
    finally:
        for hook in hooks:
            hook.remove()
        model.zero_grad(set_to_none=True)
    return Training(cost, _state_bytes(wrapper.optimizer), unreached(learning, reached))


def unreached(names: Collection[str], reached: Collection[str]) -> tuple[str, ...]:
    """Name the parameters that were not reached; modules of which none was stand for all that they hold."""
    found: dict[str, int] = {}
    for name in names:
        if name not in reached:
            parts = name.split(".")
            starts = (".".join(parts[: i + 1]) + "." for i in range(len(parts) - 1))
            whole = next((start for start in starts if not any(one.startswith(start) for one in reached)), name)
            found[whole] = found.get(whole, 0) + 1
    return tuple(f"{name[:-1]} ({count} parameters)" if name.endswith(".") else name for name, count in found.items())


def try_validation(runner: Any, batch: dict, largest: Largest, tile: tuple[int, int]) -> Cost:
    """Predict the largest picture, after a part of its pixels.

    Args:
        runner: lent by `untouched`.
        batch: of the validation, with that picture.
        largest: for the messages.
        tile: height and width of the crops of the training.

    Raises:
        ValueError: it does not fit; the sentence names the sliding window that does.
    """
    model = bare_model(runner)
    fp16 = getattr(runner.val_loop, "fp16", False)

    @torch.no_grad()
    def step(data: dict) -> None:
        with autocast(enabled=fp16):
            type(model).val_step(model, data)

    model.eval()
    given = getattr(model, "test_cfg", None) or {}
    meter, cost, need = try_step(model, step, batch)
    if cost is not None:
        return cost
    limit = meter.limit_bytes()
    about = f" needs about {format_bytes(need)}, and" if need is not None else " does not fit:"
    seen = batch["inputs"][0].shape[-2:]
    resized = f", resized to {_shown(seen[::-1])}" if tuple(seen[::-1]) != tuple(largest.size) else ""
    start = f"validation of {largest.path} ({_shown(largest.size)}{resized}){about} {format_bytes(limit)} are free"
    if given.get("mode") == "slide" or not (tile[0] < seen[0] or tile[1] < seen[1]):
        raise InvalidConfigError(f"{start}; make the pictures smaller, with a Resize in the test pipeline")
    stride = tuple(math.ceil(side * _ADVANCE) for side in tile)
    # without overlap, which takes time only
    with testing_as(model, {**given, "mode": "slide", "crop_size": tile, "stride": tile}):
        in_tiles = _of_tiles(meter, step, batch, tile)
    if in_tiles is None or in_tiles > limit:
        least = "" if in_tiles is None else f" (about {format_bytes(in_tiles)} in tiles of the training's crop)"
        raise InvalidConfigError(f"{start}{least}; make the pictures smaller, with a Resize in the test pipeline")
    raise InvalidConfigError(
        f"{start}; in tiles of the training's crop it takes about {format_bytes(in_tiles)}: --cfg-options"
        f" model.test_cfg.mode=slide model.test_cfg.crop_size={tile[0]},{tile[1]}"
        f" model.test_cfg.stride={stride[0]},{stride[1]}"
    )


def try_judgement(runner: Any, batch: dict, size: Sequence[int]) -> None:
    """Let the metrics of the validation judge one small prediction, and forget it: what fails, fails now.

    Args:
        runner: lent by `untouched`.
        batch: of the validation.
        size: height and width of the corners of the pictures that are predicted.
    """
    model, data = bare_model(runner), corner(batch, size)
    model.eval()
    metrics = [metric for metric in runner.val_evaluator.metrics if not getattr(metric, "output_dir", None)]
    kept = [copy.deepcopy(vars(metric)) for metric in metrics]
    try:
        with torch.no_grad():
            samples = type(model).val_step(model, data)
        for sample in samples:
            if "gt_sem_seg" in sample and "pred_sem_seg" in sample:  # a corner of the picture is not one of its truth
                target = sample.gt_sem_seg.data[None].float()
                target = functional.interpolate(target, size=sample.pred_sem_seg.shape, mode="nearest")[0]
                sample.gt_sem_seg = PixelData(data=target.to(sample.gt_sem_seg.data.dtype))
        for metric in metrics:
            metric.process(data, [sample.to_dict() for sample in samples])
    finally:
        for metric, state in zip(metrics, kept, strict=True):
            vars(metric).clear()
            vars(metric).update(state)


def _of_tiles(meter: Meter, step: Callable[[dict], None], batch: dict, tile: tuple[int, int]) -> int | None:
    """Extrapolate from corners of a few tiles: a tile takes what it takes, the scores grow with the picture."""
    whole = batch["inputs"][0].shape[-2:]

    def cost_of(num_tiles: int) -> tuple[int, Cost]:
        size = tuple(min(num_tiles * t, side) for t, side in zip(tile, whole, strict=True))
        return math.prod(size), meter.measure(functools.partial(step, corner(batch, size)))

    try:
        _, one = cost_of(1)
        # the more pixels, the less it matters what the libraries keep
        (few, few_cost), (many, many_cost) = map(cost_of, (2, 6) if one.seconds < _QUICK_S else (1, 3))
    except OutOfMemory:
        return None
    by_pixel = max(0, many_cost.num_bytes - few_cost.num_bytes) / max(1, many - few)
    return int(many_cost.num_bytes + by_pixel * (math.prod(whole) - many))


def _smaller_batch(runner: Any, batch: dict, need: int | None, fixed_bytes: int, limit: int) -> str:
    """Say which batch fits, the largest that makes up the present one."""
    size = len(batch["inputs"])
    about = f" needs about {format_bytes(need)}, and" if need is not None else " does not fit:"
    start = f"a training step with a batch of {size}{about} {format_bytes(limit)} are free"
    least = 2 if _pools_to_one_pixel(bare_model(runner)) else 1
    for fitting in range(size // 2, least - 1, -1) if need is not None else ():
        if size % fitting == 0 and fixed_bytes + (need - fixed_bytes) * fitting / size <= limit:
            count = runner.cfg.optim_wrapper.get("accumulative_counts", 1) * size // fitting
            return (
                f"{start}; a batch of {fitting} fits, and {count} of them make an update of the same size:"
                f" --accumulate {count} --cfg-options train_dataloader.batch_size={fitting}"
            )
    return f"{start}; take a smaller batch, smaller crops (with model.data_preprocessor.size), or --amp"


def _pools_to_one_pixel(model: nn.Module) -> bool:
    """Return whether batch norm could meet one value per channel."""
    return any(
        isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)) for module in model.modules()
    )


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    tensors = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@contextlib.contextmanager
def _alone(model: nn.Module, batch_size: int) -> Iterator[None]:
    """Let SyncBN look at the batch of its own process: a process with a fault would leave the others waiting.

    A batch of one may need the others, so there it stays as it is.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.SyncBatchNorm)]
    if not layers or batch_size == 1 or not torch.distributed.is_initialized():
        yield
        return
    groups = [layer.process_group for layer in layers]
    own, _ = torch.distributed.new_subgroups(group_size=1)
    for layer in layers:
        layer.process_group = own
    try:
        yield
    finally:
        for layer, group in zip(layers, groups, strict=True):
            layer.process_group = group


def _shown(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
