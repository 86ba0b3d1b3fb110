"""Evaluate a model: the metric, the scores, and what is written about them.

As in `semseg.training`, each feature of an evaluation says in `configure(cfg, options) -> Patch` what it changes in a
config; their options are in `options.py`, and `features.py` lists them in their order.
"""

from __future__ import annotations

from semseg.system.lazy import lazy_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from semseg.evaluation.features import for_testing

__all__ = ["for_testing"]

__getattr__ = lazy_attributes(__name__, {"for_testing": "features"})
