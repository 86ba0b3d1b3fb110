"""Functions that format messages."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

FLAGS: dict[str, str] = {}
"""Flags of the running program, such as `--max-time`, by option name; filled in by its parser."""
_SUB_COMMANDS = {
    r"tools/dataset\.py": "semseg data",
    r"tools/analyze\.py ": "semseg ",
    r"tools/convert_datasets/cityscapes\.py": "semseg data convert-cityscapes",
    r"tools/(\w+)\.py": r"semseg \1",
}
"""Programs in the repository, and the equivalent sub-commands of the installed package."""


def for_people(message: str) -> str:
    """Replace option names in backticks by flags, and programs by sub-commands if this process runs `semseg`.

    Messages contain Python names of options, such as `max_time_s`. A name that has no flag is not changed.
    """
    message = re.sub(r"`(\w+)`", lambda name: FLAGS.get(name[1], name[0]), message)
    if Path(sys.argv[0]).name.partition(" ")[0] == "semseg":
        for program, command in _SUB_COMMANDS.items():
            message = re.sub(program, command, message)
    return message


def listing(names: Iterable[object], num_shown: int = 3) -> str:
    """Join names as `a, b, c and 4 more`; return an empty string if there are none."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - num_shown} more" if len(texts) > num_shown else ""
    return ", ".join(texts[:num_shown]) + more
