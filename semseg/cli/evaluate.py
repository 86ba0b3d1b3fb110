"""Score a folder of masks against another one: `tools/evaluate.py`, `semseg evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.cli.progress import show_count
from semseg.cli.source import add_nproc, num_processes
from semseg.config.options import add_options, given, pick
from semseg.evaluation.options import FoldersOptions
from semseg.system.wording import for_people


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(
        description=(
            "Score a folder of masks against a folder of masks; no model is needed. Masks are paired by their names. "
            "If these differ, the ending that all names of a folder share is left out, such as _manual1 in "
            "01_manual1.gif."
        )
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of the masks to score")
    parser.add_argument("targets", type=Path, metavar="TARGETS", help="folder of the true masks")
    add_options(parser, FoldersOptions)
    add_nproc(parser)
    add_debug_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Score a folder of masks against another one."""
    args = parse_args(argv)
    processes = num_processes(args)
    from semseg.evaluation import mask_folder_tables
    from semseg.evaluation.mask_folders import evaluate_folders
    from semseg.system.atomic import check_folder

    options = pick(FoldersOptions, given([FoldersOptions], args))
    if options.out_dir is not None:
        check_folder(Path(options.out_dir), "out_dir")
    with show_count("comparing") as show:
        found = evaluate_folders(args.predictions, args.targets, options, processes, show)
    print(for_people("\n".join(mask_folder_tables.describe(found))))
    if options.out_dir is not None:
        mask_folder_tables.write(found, Path(options.out_dir), args.predictions, args.targets)
        print(f"results: {options.out_dir} (results.json, tables, predicted/, target/)")
