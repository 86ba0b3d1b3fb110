"""Export masks for labelling tools, which correct them; `semseg.datasets.importers` reads the corrections.

`plan` reads and checks everything but the pixels; `write` of the plan then writes the files.
"""

from semseg.datasets.exporters.items import check_names
from semseg.datasets.exporters.package import FORMATS, Package, Written, check_unused
from semseg.datasets.exporters.planning import Request, pack, pack_labels, plan

__all__ = ["FORMATS", "Package", "Request", "Written", "check_names", "check_unused", "pack", "pack_labels", "plan"]
