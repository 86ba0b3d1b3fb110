"""Import annotations of other programs as a data set of index PNGs with a dataset.yaml.

`plan` reads and checks everything; `Plan.write` then writes the files.
"""

from semseg.datasets.importers.planning import Plan, Request, plan

__all__ = ["Plan", "Request", "plan"]
