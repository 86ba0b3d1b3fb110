"""Import PyTorch's compiler, torchvision and Matplotlib only where they are used: a training needs none of them.

Together they take a third of the time of all imports, and more than 100 MB.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch._compile


def repair() -> None:
    """Apply these repairs; calling it again changes nothing."""
    step_without_compiler()
    log_versions_without_imports()
    make_figures_late()


def step_without_compiler() -> None:
    """Let the optimizers of PyTorch step without its compiler, unless something else has imported that.

    Defect: the first step imports `torch._dynamo`, with Triton and SymPy, although nothing is compiled. Cause: the
    decorators of the optimizers' methods use it to end a compiled graph.
    """
    for kind in {k for k in vars(torch.optim).values() if isinstance(k, type) and issubclass(k, torch.optim.Optimizer)}:
        for name, method in list(vars(kind).items()):
            code = getattr(method, "__code__", None)
            if code is None or not hasattr(method, "__wrapped__"):
                continue
            if code.co_name == "_use_grad":
                setattr(kind, name, _late_step(method))
            elif code.co_filename == torch._compile.__file__ and not hasattr(method.__wrapped__, "__dynamo_disable"):
                method.__wrapped__.__dynamo_disable = _late_disable(method.__wrapped__)


def _late_step(stock_step: Any) -> Callable:
    """Return the `step` of an optimizer, which turns gradients off as the stock one does."""

    @functools.wraps(stock_step.__wrapped__)
    def step(self: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
        if "torch._dynamo" in sys.modules:
            return stock_step(self, *args, **kwargs)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return stock_step.__wrapped__(self, *args, **kwargs)

    return step


def _late_disable(method: Any) -> Callable:
    """Return a method that is left out of compiled graphs; `torch._compile` looks it up under `__dynamo_disable`."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if "torch._dynamo" not in sys.modules:
            return method(*args, **kwargs)
        method.__dynamo_disable = torch._dynamo.disable(method, wrapping=False)
        return method.__dynamo_disable(*args, **kwargs)

    return call


def log_versions_without_imports() -> None:
    """Log the version of torchvision without importing it.

    Defect: each run imports torchvision, and through it the compiler. Cause: `collect_env` reads its `__version__`.
    """
    import mmengine.runner.runner as runner

    stock: Any = runner  # its types name one kind of string
    stock_collect_env = stock.collect_env
    if hasattr(stock_collect_env, "__wrapped__"):  # repaired already
        return

    @functools.wraps(stock_collect_env)
    def collect_env() -> dict:
        if "torchvision" in sys.modules:
            return stock_collect_env()
        sys.modules["torchvision"] = None  # type: ignore[assignment]  # its import fails, which `collect_env` expects
        try:
            facts = stock_collect_env()
        finally:
            del sys.modules["torchvision"]
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            facts["TorchVision"] = importlib.metadata.version("torchvision")
        return facts

    stock.collect_env = collect_env


def make_figures_late() -> None:
    """Make the Matplotlib figure of a visualizer when something is drawn on it.

    Defect: each run imports Matplotlib, although TensorBoard's pictures and ours do not use it. Cause:
    `Visualizer.__init__` makes the figure.
    """
    from mmengine.visualization import Visualizer

    if not isinstance(vars(Visualizer).get("fig_save"), _FigurePart):
        stock_make: Callable = Visualizer._initialize_fig
        for name in ("fig_save_canvas", "fig_save", "ax_save", "dpi"):
            setattr(Visualizer, name, _FigurePart(name, stock_make))
        Visualizer._initialize_fig = lambda self, fig_cfg: (None, _NoFigure, None)


class _NoFigure:
    """Stands for a figure that is not made yet."""

    @staticmethod
    def get_dpi() -> None:
        """Return nothing, as there is no figure."""


class _FigurePart:
    """An attribute of a visualizer that makes its figure when it is read for the first time."""

    def __init__(self, name: str, make: Callable) -> None:
        self._name, self._make = name, make

    def __set__(self, visualizer: Any, value: Any) -> None:
        visualizer.__dict__[self._name] = value

    def __get__(self, visualizer: Any, kind: type | None = None) -> Any:
        if visualizer is None:
            return self
        values = visualizer.__dict__
        if values.get("fig_save") is _NoFigure and "dpi" in values:  # `__init__` has set all four
            canvas, figure, axes = self._make(visualizer, visualizer.fig_save_cfg)
            values.update(fig_save_canvas=canvas, fig_save=figure, ax_save=axes, dpi=figure.get_dpi())
        return values[self._name]
