"""Words that messages of all folders share."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

FLAGS: dict[str, str] = {}
"""The flags of the program that runs, such as `--max-time`, by the names of their options; its parser fills it in."""
_AS_SUB_COMMAND = {
    r"tools/dataset\.py": "semseg data",
    r"tools/analyze\.py ": "semseg ",
    r"tools/convert_datasets/cityscapes\.py": "semseg data convert-cityscapes",
    r"tools/(\w+)\.py": r"semseg \1",
}
"""Programs of a repository, which an installed package does not have, and the sub-commands that do the same."""


def for_people(message: str) -> str:
    """Replace options in backticks by the flags of the program, and programs by the command that started this process.

    Messages name options as Python does, such as `max_time_s`. Where no program runs, they stay.
    """
    message = re.sub(r"`(\w+)`", lambda name: FLAGS.get(name[1], name[0]), message)
    if Path(sys.argv[0]).name.partition(" ")[0] == "semseg":
        for program, command in _AS_SUB_COMMAND.items():
            message = re.sub(program, command, message)
    return message


def listing(names: Iterable[object], num_shown: int = 3) -> str:
    """Write `a, b, c and 4 more`; an empty string for no name."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - num_shown} more" if len(texts) > num_shown else ""
    return ", ".join(texts[:num_shown]) + more
