#!/usr/bin/env python
"""Make, bring in, check and look at data sets."""

from semseg.cli import check, cityscapes, imports, look, splits, toycity
from semseg.cli.program import run_command, run_tool


def main() -> int:
    return run_command(
        __doc__,
        toycity.add_toycity,
        cityscapes.add_download,
        imports.add_import,
        splits.add_split,
        check.add_check,
        look.add_browse,
        look.add_stats,
        cityscapes.add_submit,
    )


if __name__ == "__main__":
    run_tool(main)
