"""Packages that report their use to their makers, imported so that they report nothing."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

_REPORTER = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Generator[None]:
    """Import OpenVINO and NNCF in this block: they don't find the package that sends reports, and then send none.

    Defect: it sends reports unless the user has refused them, and writes an id to the home folder when NNCF is
    imported. Both packages work without it.
    """
    before = sys.modules.get(_REPORTER)
    sys.modules[_REPORTER] = None  # type: ignore[assignment]  # an import of it raises ImportError
    try:
        yield
    finally:
        if before is None:
            sys.modules.pop(_REPORTER, None)
        else:
            sys.modules[_REPORTER] = before
