"""Train a model: each module is a feature, which says what it changes in a config and brings the hook that does it.

A feature has a frozen dataclass of options in `options.py` and a function `configure(cfg, options) -> Patch`, which
changes nothing itself; `features.py` lists the features in their order. This file imports nothing at first, so that
`--help` can read the options without PyTorch.
"""

from __future__ import annotations

from semseg.system.lazy import lazy_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from semseg.training.features import for_training

__all__ = ["for_training"]

__getattr__ = lazy_attributes(__name__, {"for_training": "features"})
