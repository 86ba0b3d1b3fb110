"""Import annotations of other programs, and published sets, as a data set with a dataset.yaml.

`plan` reads and checks everything; `write` of the plan then writes the files. A format is one module, whose reader
returns `Parsed`; `formats.FORMATS` lists them.
"""

from semseg.datasets.importers.parsed import Request
from semseg.datasets.importers.planning import Plan, plan

__all__ = ["Plan", "Request", "plan"]
