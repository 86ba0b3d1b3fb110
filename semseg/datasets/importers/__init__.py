"""Import annotations of other programs as a data set of index PNGs with a dataset.yaml.

`plan` and `plan_camvid` read and check everything; `write` of the plan then writes the files.
"""

from semseg.datasets.importers.camvid_import import CamVidPlan, CamVidRequest, plan_camvid
from semseg.datasets.importers.planning import Plan, Request, plan

__all__ = ["CamVidPlan", "CamVidRequest", "Plan", "Request", "plan", "plan_camvid"]
