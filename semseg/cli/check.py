"""Check a data set before training: `tools/dataset.py check`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.cli.source import add_nproc, add_source, load_source, num_processes
from semseg.system.wording import for_people


def add_check(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "check",
        help="find errors in a data set before training",
        description=(
            "Check the files, masks and classes of a config or a dataset.yaml. The exit code is 2 if there are "
            "errors. tools/train.py and tools/test.py run these checks too, unless --no-check is given. What is read "
            "from a file is cached in ~/.cache/semseg, or in SEMSEG_CACHE, until its size or modification time changes."
        ),
    )
    add_source(parser, all_splits=True)
    parser.add_argument(
        "--deep", action="store_true", help="decode every image; also find images that look the same in two splits"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the findings to FILE")
    add_nproc(parser)
    parser.set_defaults(run=_run_check)


def _run_check(args: argparse.Namespace) -> int:
    processes = num_processes(args)
    cfg = load_source(args)

    if cfg is None:
        from semseg.checks.dataset import check_dataset_file as check
    else:
        from semseg.checks.config import check_config as check

    source = args.source if cfg is None else cfg
    with show_count("checking") as show:
        report = check(source, args.split, deep=args.deep, num_processes=processes, on_progress=show)
    print(for_people("\n".join(report.lines())))
    if args.json is not None:
        report.write_json(args.json)
    return 2 if report.of_kind("error") else 0
