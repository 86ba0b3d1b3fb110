"""Import annotations of other programs, and published sets, as a data set with a dataset.yaml.

`plan`, `plan_camvid`, `plan_set` and `plan_saved_set` read and check everything; `write` of the plan then writes the
files.
"""

from semseg.datasets.importers.camvid_import import CamVidPlan, CamVidRequest, plan_camvid
from semseg.datasets.importers.huggingface_import import SavedSetPlan, SavedSetRequest, plan_saved_set
from semseg.datasets.importers.planning import Plan, Request, plan
from semseg.datasets.importers.whole_set_import import SetPlan, SetRequest, plan_set

__all__ = [
    "CamVidPlan",
    "CamVidRequest",
    "Plan",
    "Request",
    "SavedSetPlan",
    "SavedSetRequest",
    "SetPlan",
    "SetRequest",
    "plan",
    "plan_camvid",
    "plan_saved_set",
    "plan_set",
]
