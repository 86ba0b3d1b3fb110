"""A repair to MMEngine's data preprocessor; `semseg.compat.repair` applies it.

A test in `tests/compat/test_input_channels.py` fails as soon as the stack has fixed the defect.
"""

from __future__ import annotations

import functools
from typing import Any

import torch


def normalise_any_channels() -> None:
    """Let a data preprocessor normalise pictures of any number of channels.

    Defect: with a mean and deviation for each of four bands, it cannot be built, although everything after it works.
    Cause: `ImgDataPreprocessor.__init__` accepts 1 or 3 values only.
    """
    from mmengine.model import ImgDataPreprocessor

    stock_init = ImgDataPreprocessor.__init__
    if hasattr(stock_init, "__wrapped__"):  # repaired already
        return

    @functools.wraps(stock_init)
    def __init__(self: Any, mean: Any = None, std: Any = None, *args: Any, **kwargs: Any) -> None:
        is_refused = mean is not None and std is not None and len(mean) == len(std) and len(mean) not in (0, 1, 3)
        if not is_refused:
            stock_init(self, mean, std, *args, **kwargs)
            return
        stock_init(self, [0.0], [1.0], *args, **kwargs)
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(-1, 1, 1), False)

    ImgDataPreprocessor.__init__ = __init__
