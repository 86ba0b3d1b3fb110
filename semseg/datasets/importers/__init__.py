"""Annotations of other programs in, a data set of index PNGs with its dataset.yaml out.

`plan` reads and checks everything; only then does `Plan.write` touch the disk.
"""

from semseg.datasets.importers.planning import Plan, Request, plan

__all__ = ["Plan", "Request", "plan"]
