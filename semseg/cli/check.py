"""Look a set over before it costs a run: `tools/dataset.py check`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.cli.source import add_nproc, add_source, load_source, num_processes
from semseg.system.wording import for_people


def add_check(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "check",
        help="look for all that would spoil a training, before it starts",
        description=(
            "Check the files, masks and classes of a config or a dataset.yaml. Exit code 2: there are errors. "
            "tools/train.py and tools/test.py check first too (--no-check: they don't). What was read is "
            "remembered by path, size and time of change in ~/.cache/semseg, or in SEMSEG_CACHE."
        ),
    )
    add_source(parser, all_splits=True)
    parser.add_argument(
        "--deep", action="store_true", help="decode every image; finds pictures in two splits by their looks too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings here too")
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
