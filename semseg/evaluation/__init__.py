"""Evaluate a model: the metric, the scores, and what is written about them.

As in `semseg.training`, each feature of an evaluation says in `configure(cfg, options) -> Patch` what it changes in a
config; their options are in `options.py`, and `features.py` lists them in their order.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from semseg.evaluation.features import for_testing

__all__ = ["for_testing"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from semseg.evaluation import features

    return getattr(features, name)
