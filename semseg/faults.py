"""Faults of a model or transform, told with the place in the config that they come from.

The traceback knows which object was at work, and the config knows where its class is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmcv.transforms import BaseTransform
from torch import nn

_OURS = str(Path(__file__).parent)
_BUILDERS = ("build_from_cfg", "build_model_from_cfg", "build_runner_from_cfg")
_MINDED = (  # what wrong values in a config end in
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError),
    *(NotImplementedError, RuntimeError, TypeError, ValueError),
)


def while_built(error: BaseException, cfg: Mapping[str, Any]) -> ValueError | None:
    """Return what to raise for an error that a class of the config raised while it was built; None for any other."""
    if not _can_be_told(error):
        return None
    for frame in _frames(error):
        if frame.f_code.co_name in _BUILDERS:
            args = frame.f_locals.get("args")
            part = frame.f_locals.get("cfg")
            name = _name(frame.f_locals.get("obj_type") or (part or args or {}).get("type"))
            if name == "Runner":
                return None
            return _sentence(error, _place(cfg, name) or name, name, "cannot be built")
    return None


def while_tried(error: BaseException, cfg: Mapping[str, Any], model: nn.Module, loader: str) -> ValueError | None:
    """Return what to raise for an error of a training or validation step; None if its place is not known.

    Args:
        error: that the step raised.
        cfg: of the run.
        model: whose step it was.
        loader: key of the dataloader whose samples it took.
    """
    if not _can_be_told(error):
        return None
    names = {id(module): name for name, module in model.named_modules() if name}
    for frame in _frames(error):
        owner = frame.f_locals.get("self")
        name = type(owner).__name__
        if isinstance(owner, BaseTransform):
            results = next((v for v in frame.f_locals.values() if isinstance(v, dict) and "img_path" in v), {})
            image = f" on {results['img_path']}" if results else ""
            place = _place(cfg.get(loader) or {}, name)
            return _sentence(error, f"{loader}.{place}" if place else name, name, f"failed{image}")
        if id(owner) in names:
            return _sentence(error, f"model.{names[id(owner)]}", name, "failed")
    return None


def _can_be_told(error: BaseException) -> bool:
    """Return whether it is no sentence of ours, and no fault of the machine."""
    if not isinstance(error, _MINDED) or error.__traceback__ is None:
        return False
    innermost = next(_frames(error))
    return not innermost.f_code.co_filename.startswith(_OURS) or not isinstance(error, ValueError)


def _frames(error: BaseException) -> Iterator[Any]:
    """Yield the frames of a traceback, the innermost first."""
    frames, step = [], error.__traceback__
    while step is not None:
        frames.append(step.tb_frame)
        step = step.tb_next
    return reversed(frames)


def _sentence(error: BaseException, place: str, name: str, what: str) -> ValueError:
    said = " ".join(str(error).split()) or "no reason given"
    where = f"{place} ({name})" if place != name else name
    return ValueError(f"{where} {what}: {type(error).__name__}: {said}; --debug shows the traceback")


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)).rpartition(".")[2]


def _place(node: Any, name: str) -> str:
    """Return the key of the first part of a config that is built from a class; empty if there is none."""
    children = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, child in children:
        if isinstance(child, Mapping) and _name(child.get("type", "")) == name:
            return str(key)
        inner = _place(child, name)
        if inner:
            return f"{key}.{inner}"
    return ""
