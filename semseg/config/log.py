"""Warnings about a config, in the log of a program."""

from __future__ import annotations

import logging
import os


def warn(message: str, *values: object) -> None:
    """Log a warning; of several processes of a run, only the first one does.

    Args:
        message: with a place such as `%s` for each value.
        values: as of `logging.Logger.warning`.
    """
    if int(os.environ.get("RANK", 0)) == 0:
        logging.getLogger("semseg").warning(message, *values)
