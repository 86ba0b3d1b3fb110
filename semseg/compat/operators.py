"""Repairs of an MMCV without compiled operators, one function per defect; `semseg.compat.repair` applies them.

A test in `tests/compat/test_operators.py` fails as soon as the stack has fixed a defect: then its repair can go.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

_USERS = {  # modules of MMSegmentation, and what they import from MMCV
    "mmseg.models.decode_heads.cc_head": "CrissCrossAttention",
    "mmseg.models.decode_heads.point_head": "point_sample",
    "mmseg.models.decode_heads.san_head": "point_sample",
    "mmseg.models.utils.point_sample": "point_sample",
    "mmseg.utils.mask_classification": "point_sample",
}
_NEED_ALL = ("mmdet", "mmpretrain")  # packages that import operators which they may never call
_FILES = {"CrissCrossAttention": "cc_attention", "point_sample": "point_sample"}


def is_compiled() -> bool:
    """Return whether the installed MMCV has compiled operators."""
    return importlib.util.find_spec("mmcv._ext") is not None


def import_all_operators() -> None:
    """Make `mmcv.ops` importable without compiled operators, if MMDetection or MMPretrain are installed.

    Defect: with MMCV's wheel for all platforms, `import mmdet.models` fails, and Mask2Former with it, although it needs
    only operators that are written in Python. Cause: every file of `mmcv.ops` loads the compiled module when it is
    imported. While they are imported here, a stand-in takes its place, whose functions raise an error when they are
    called. `MultiScaleDeformableAttention` would call it on a GPU; its formula in PyTorch is used there, too.
    """
    if is_compiled() or "mmcv.ops" in sys.modules or not _are_needed():
        return
    sys.modules["mmcv._ext"] = _MissingOperators("mmcv._ext")
    try:
        import mmcv.ops.multi_scale_deform_attn as attention
    finally:
        del sys.modules["mmcv._ext"]
    attention.IS_CUDA_AVAILABLE = False  # only asked for to choose the compiled function
    import mmcv.cnn.bricks.transformer as transformer

    transformer.MultiScaleDeformableAttention = attention.MultiScaleDeformableAttention


@functools.cache  # asked for with every config that is read
def _are_needed() -> bool:
    return any(importlib.util.find_spec(package) is not None for package in _NEED_ALL)


class _MissingOperators(ModuleType):
    """Has every function that is asked for; they raise an error when they are called."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def fail(*args: Any, **kwargs: Any) -> NoReturn:
            raise RuntimeError(f"install onedl-mmcv for {name} ops")  # the words of MMSegmentation's own errors

        return fail


def use_operators_in_python() -> None:
    """Let CCHead, PointHead and SideAdapterCLIPHead use the operators of MMCV that are written in Python.

    Defect: these heads can't be built with MMCV's wheel for all platforms, which has no compiled operators. Cause:
    importing any part of `mmcv.ops` imports all of it, and most parts need the compiled module, although
    `cc_attention.py` and `point_sample.py` are plain PyTorch.
    """
    if is_compiled():
        return
    from mmseg.models.utils.point_sample import get_uncertain_point_coords_with_randomness

    for user, name in _USERS.items():
        module = sys.modules[user]
        if getattr(module, name) is None:
            setattr(module, name, getattr(_load(_FILES[name]), name))
    san_head, name = sys.modules["mmseg.models.decode_heads.san_head"], "get_uncertain_point_coords_with_randomness"
    if getattr(san_head, name) is None:
        setattr(san_head, name, get_uncertain_point_coords_with_randomness)


def _load(file_stem: str) -> ModuleType:
    """Import a single file of `mmcv.ops`, under its usual name."""
    name = f"mmcv.ops.{file_stem}"
    if name not in sys.modules:
        package = importlib.util.find_spec("mmcv")
        assert package is not None and package.origin is not None
        path = Path(package.origin).parent / "ops" / f"{file_stem}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
