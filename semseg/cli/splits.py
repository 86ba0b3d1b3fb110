"""Split a data set by group: `tools/dataset.py split`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.system.wording import for_people


def add_split(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "split",
        help="divide a data set into train, val and test by groups of related images",
        description=(
            "Divide all pairs of a data set into new splits. A group (a street, a sequence, a city) is never "
            "divided, so no test image has related images in the training set. Many random orders of the "
            "groups are tried, and the one with split sizes closest to the fractions is used. Writes "
            "SPLIT_pairs.csv and dataset.yaml."
        ),
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a dataset.yaml, or its folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="folder of the new dataset.yaml; no image is moved")
    where.add_argument("--in-place", action="store_true", help="change SOURCE; old files are renamed to *.bak")
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
        help="auto (propose groups by file names, time, place and similarity, and say why), folder (of the image), "
        "prefix (its name up to the last number), or regex:PATTERN (searched in its path; the group is the text of "
        "the capturing groups, or the whole match)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the order of the groups (default: 0)")
    parser.set_defaults(run=_run_split)


def _run_split(args: argparse.Namespace) -> int:
    from semseg.datasets import split

    division = split.divide(args.source, split.parse_fractions(args.fractions), args.group_by, args.seed)
    path = division.write(args.out)
    print(f"{path}: divided by {args.group_by}, seed {args.seed}")
    if division.grouping is not None:
        print(division.grouping.evidence)
    print("\n".join(division.table()))
    for sentence in division.warnings():
        print(f"warning: {for_people(sentence)}")
    return 0
