"""Try one training step and one validation step, and suggest what to do if they don't fit into memory."""

from __future__ import annotations

import contextlib
import copy
import functools
import math
from collections.abc import Callable, Collection, Generator, Sequence
from typing import Any, NamedTuple

import torch
from mmengine.runner.amp import autocast
from mmengine.structures import PixelData
from torch import nn
from torch.nn import functional

from semseg.errors import InvalidConfigError
from semseg.system.machine import format_bytes
from semseg.training.preflight.batches import Largest, corner
from semseg.training.preflight.extrapolation import try_step, using_test_cfg
from semseg.training.preflight.meter import Cost, Meter, OutOfMemory
from semseg.training.runner_parts import bare_model

_STRIDE_SHARE = 2 / 3  # of the side of a tile, as in MMSegmentation's configs
_QUICK_TILE_S = 0.5


class Training(NamedTuple):
    """The result of a training step.

    Attributes:
        cost: of one step.
        state_bytes: of the optimizer.
        without_gradient: names of parameters that require a gradient and did not get one; the name of a module if that
            is so for all of its parameters.
    """

    cost: Cost
    state_bytes: int
    without_gradient: tuple[str, ...]


def try_training(runner: Any, batch: dict) -> Training:
    """Train a few steps: first on a part of the pixels, then on all.

    With several processes the model is used without its wrapper, so that a fault in one process does not let the
    others wait for it.

    Args:
        runner: in a `preserved_state` block.
        batch: of the training.

    Raises:
        ValueError: the step does not fit; the message names a batch size that does.
    """
    model, wrapper = bare_model(runner), runner.optim_wrapper
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    reached: set[str] = set()
    hooks = [
        parameter.register_post_accumulate_grad_hook(functools.partial(_add_name, reached, name))
        for name, parameter in learning.items()
    ]
    wrapper.initialize_count_status(nn.Identity(), 0, -1)  # a resumed run may be near its end

    def step(data: dict) -> None:
        # of the class, not of the instance: a compiled step would be compiled for the small pictures too
        type(model).train_step(model, data, optim_wrapper=wrapper)
        if not wrapper.should_update():
            wrapper.step()  # so that the optimizer has its state, as after the first update

    model.train()
    try:
        with _local_sync_bn(model, len(batch["inputs"])):
            gradient_bytes = sum(parameter.numel() * parameter.element_size() for parameter in learning.values())
            meter, cost, need = try_step(model, step, batch, gradient_bytes)
        if cost is None:
            fixed_bytes = meter.fixed_bytes + gradient_bytes
            message = _suggest_smaller_batch(runner, batch, need, fixed_bytes, meter.limit_bytes())
            raise InvalidConfigError(message, code="E-config-memory")
    finally:
        for hook in hooks:
            hook.remove()
        model.zero_grad(set_to_none=True)
    return Training(cost, _state_bytes(wrapper.optimizer), unreached(learning, reached))


def _add_name(names: set[str], name: str, parameter: torch.Tensor) -> None:
    names.add(name)


def unreached(names: Collection[str], reached: Collection[str]) -> tuple[str, ...]:
    """Return the names that were not reached; the name of a module replaces those of its parameters if none was."""
    counts: dict[str, int] = {}
    for name in names:
        if name not in reached:
            parts = name.split(".")
            prefixes = (".".join(parts[: i + 1]) + "." for i in range(len(parts) - 1))
            module = next((prefix for prefix in prefixes if not any(r.startswith(prefix) for r in reached)), name)
            counts[module] = counts.get(module, 0) + 1
    return tuple(f"{name[:-1]} ({count} parameters)" if name.endswith(".") else name for name, count in counts.items())


def try_validation(runner: Any, batch: dict, largest: Largest, tile: tuple[int, int]) -> Cost:
    """Predict a part of the pixels of the largest picture, then all of them.

    Args:
        runner: in a `preserved_state` block.
        batch: of the validation, with that picture.
        largest: for the messages.
        tile: height and width of the crops of the training.

    Raises:
        ValueError: the step does not fit; the message names a sliding window that does.
    """
    model = bare_model(runner)
    fp16 = getattr(runner.val_loop, "fp16", False)

    @torch.no_grad()
    def step(data: dict) -> None:
        with autocast(enabled=fp16):
            type(model).val_step(model, data)

    model.eval()
    test_cfg: Any = getattr(model, "test_cfg", None) or {}
    meter, cost, need = try_step(model, step, batch)
    if cost is not None:
        return cost
    limit = meter.limit_bytes()
    shortage = f" needs about {format_bytes(need)}, and" if need is not None else " does not fit:"
    seen = batch["inputs"][0].shape[-2:]
    resized = f", resized to {_format_size(seen[::-1])}" if tuple(seen[::-1]) != tuple(largest.size) else ""
    picture = f"{largest.path} ({_format_size(largest.size)}{resized})"
    fault = f"validation of {picture}{shortage} {format_bytes(limit)} are free"
    advice = "make the pictures smaller, with a Resize in the test pipeline"
    if test_cfg.get("mode") == "slide" or not (tile[0] < seen[0] or tile[1] < seen[1]):
        raise InvalidConfigError(f"{fault}; {advice}", code="E-config-memory")
    stride = tuple(math.ceil(side * _STRIDE_SHARE) for side in tile)
    # without overlap, which needs time but no memory
    with using_test_cfg(model, {**test_cfg, "mode": "slide", "crop_size": tile, "stride": tile}):
        tiled_bytes = _tiled_bytes(meter, step, batch, tile)
    if tiled_bytes is None or tiled_bytes > limit:
        tiled = "" if tiled_bytes is None else f" (about {format_bytes(tiled_bytes)} in tiles of the training's crop)"
        raise InvalidConfigError(f"{fault}{tiled}; {advice}", code="E-config-memory")
    raise InvalidConfigError(
        f"{fault}; in tiles of the training's crop it takes about {format_bytes(tiled_bytes)}: `cfg_options`"
        f" model.test_cfg.mode=slide model.test_cfg.crop_size={tile[0]},{tile[1]}"
        f" model.test_cfg.stride={stride[0]},{stride[1]}",
        code="E-config-memory",
    )


def try_metrics(runner: Any, batch: dict, size: Sequence[int]) -> None:
    """Evaluate one small prediction with the metrics of the validation, and discard the result: faults show now.

    Args:
        runner: in a `preserved_state` block.
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
            if "gt_sem_seg" in sample and "pred_sem_seg" in sample:  # the target may have another size than the picture
                target = sample.gt_sem_seg.data[None].float()
                target = functional.interpolate(target, size=sample.pred_sem_seg.shape, mode="nearest")[0]
                sample.gt_sem_seg = PixelData(data=target.to(sample.gt_sem_seg.data.dtype))
        for metric in metrics:
            metric.process(data, [sample.to_dict() for sample in samples])
    finally:
        for metric, state in zip(metrics, kept, strict=True):
            vars(metric).clear()
            vars(metric).update(state)


def _tiled_bytes(meter: Meter, step: Callable[[dict], None], batch: dict, tile: tuple[int, int]) -> int | None:
    """Extrapolate from corners of a few tiles: memory for the scores grows with the picture, for a tile it does not."""
    whole = batch["inputs"][0].shape[-2:]

    def cost_of(num_tiles: int) -> tuple[int, Cost]:
        size = tuple(min(num_tiles * t, side) for t, side in zip(tile, whole, strict=True))
        return math.prod(size), meter.measure(functools.partial(step, corner(batch, size)))

    try:
        _, first_cost = cost_of(1)
        # with more pixels, the caches of libraries matter less
        (few, few_cost), (many, many_cost) = map(cost_of, (2, 6) if first_cost.seconds < _QUICK_TILE_S else (1, 3))
    except OutOfMemory:
        return None
    bytes_per_pixel = max(0, many_cost.num_bytes - few_cost.num_bytes) / max(1, many - few)
    return int(many_cost.num_bytes + bytes_per_pixel * (math.prod(whole) - many))


def _suggest_smaller_batch(runner: Any, batch: dict, need: int | None, fixed_bytes: int, limit: int) -> str:
    """Return a message with the largest batch size that fits and divides the present one."""
    size = len(batch["inputs"])
    shortage = f" needs about {format_bytes(need)}, and" if need is not None else " does not fit:"
    fault = f"a training step with a batch of {size}{shortage} {format_bytes(limit)} are free"
    smallest = 2 if _pools_to_one_pixel(bare_model(runner)) else 1
    if need is not None:
        for fitting in range(size // 2, smallest - 1, -1):
            if size % fitting == 0 and fixed_bytes + (need - fixed_bytes) * fitting / size <= limit:
                count = runner.cfg.optim_wrapper.get("accumulative_counts", 1) * size // fitting
                return (
                    f"{fault}; a batch of {fitting} fits, and {count} of them make an update of the same size:"
                    f" `accumulate` {count} `cfg_options` train_dataloader.batch_size={fitting}"
                )
    return f"{fault}; take a smaller batch, smaller crops (with model.data_preprocessor.size), or `amp`"


def _pools_to_one_pixel(model: nn.Module) -> bool:
    """Return whether a batch norm could get a single value per channel."""
    return any(
        isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)) for module in model.modules()
    )


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    tensors = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@contextlib.contextmanager
def _local_sync_bn(model: nn.Module, batch_size: int) -> Generator[None]:
    """Let SyncBN use only the batch of its own process: the others would wait for a process with a fault.

    A batch of one image may need the other processes, so SyncBN is not changed then.
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


def _format_size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
