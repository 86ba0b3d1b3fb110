"""Split a set by group: `tools/dataset.py split`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_split(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "split",
        help="divide a data set into train, val, test, keeping neighbours together",
        description=(
            "Divide all pairs of a data set anew. Groups (a street, a sequence, a city) stay whole, so that "
            "no picture is tested whose neighbour was trained on. Many random orders of the groups are "
            "tried; the one whose sizes come nearest to the fractions is taken. Writes SPLIT_pairs.csv and "
            "dataset.yaml."
        ),
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a dataset.yaml, or its folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="folder for the new dataset.yaml; files stay")
    where.add_argument("--in-place", action="store_true", help="change SOURCE; the old files become *.bak")
    parser.add_argument(
        "--fractions",
        nargs="+",
        default=["train=0.7", "val=0.15", "test=0.15"],
        metavar="SPLIT=SHARE",
        help="shares of the images (default: train=0.7 val=0.15 test=0.15)",
    )
    parser.add_argument(
        "--group-by",
        required=True,
        metavar="RULE",
        help="folder (of the image), prefix (its name up to the last number), or regex:PATTERN (searched "
        "in its path; the groups in brackets, or all that matches)",
    )
    parser.add_argument("--seed", type=int, default=0, help="other seeds divide otherwise (default: 0)")
    parser.set_defaults(run=_run_split)


def _run_split(args: argparse.Namespace) -> int:
    from semseg.datasets import split

    division = split.divide(args.source, split.parse_fractions(args.fractions), args.group_by, args.seed)
    path = division.write(args.out)
    print(f"{path}: divided by {args.group_by}, seed {args.seed}")
    print("\n".join(division.table()))
    return 0
