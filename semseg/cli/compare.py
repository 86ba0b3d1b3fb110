"""Compare two tests: `tools/analyze.py compare`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from semseg.errors import InvalidInputError


def add_compare(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "compare",
        help="compare two tests on the same images: differences, intervals, classes, most changed images",
        description=(
            "Compare two tests on the same images. The 95 % interval of a difference is a paired bootstrap: the same "
            "images are drawn for both tests. It is narrower than the intervals of the two tests suggest."
        ),
    )
    for name in ("first", "second"):
        parser.add_argument(name, type=Path, metavar="RESULTS", help="results folder of tools/test.py")
    parser.add_argument(
        "--images",
        type=int,
        default=5,
        metavar="N",
        help="number of images to show that became worse, and that became better (default: 5)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the full comparison to FILE")
    parser.set_defaults(run=_run_compare)


def _run_compare(args: argparse.Namespace) -> int:
    from semseg.analysis.compare import compare, to_plain_data
    from semseg.evaluation.results import read_results
    from semseg.system.atomic import atomic_path

    if args.images < 0:
        raise InvalidInputError(f"--images is {args.images}; expected 0 or more", code="E-input-range")
    first, second = (read_results(folder) for folder in (args.first, args.second))
    comparison = compare(first, second)
    for label, results in (("A", first), ("B", second)):
        print(f"{label}  {results.folder}  ({results.summary['run']['checkpoint']})")
    width = max(16, *(len(row.name) + 2 for row in comparison.classes))
    print(f"\n{'':{width}}{'A':>8}{'B':>8}{'B - A':>9}   95 % interval")
    for row in comparison.scores:
        print(_line(row, width))
    print(f"\nIoU, worst first\n{'':{width}}{'A':>8}{'B':>8}{'B - A':>9}   95 % interval")
    for row in sorted(comparison.classes, key=lambda row: row.value if row.value == row.value else float("inf")):
        print(_line(row, width))
    for title, rows in (
        ("worse", comparison.images[: args.images]),
        ("better", comparison.images[::-1][: args.images]),
    ):
        rows = [row for row in rows if (row.value < 0) == (title == "worse") and row.value]
        if rows:
            print(f"\nimages that became {title}, by aAcc")
        for row in rows:
            print(f"{'':{width}}{row.first:8.2f}{row.second:8.2f}{row.value:+9.2f}   {row.name}")
    if args.json:
        with atomic_path(args.json) as temporary:
            temporary.write_text(json.dumps(to_plain_data(comparison), indent=1, allow_nan=False) + "\n")
    return 0


def _line(row: Any, width: int) -> str:
    if row.value != row.value:
        values = "".join(f"{value:8.2f}" if value == value else f"{'-':>8}" for value in (row.first, row.second))
        return f"{row.name:{width}}{values}{'-':>9}"
    interval = f"{row.low:+.2f} to {row.high:+.2f}{'' if row.is_sure else '  (could be chance)'}"
    return f"{row.name:{width}}{row.first:8.2f}{row.second:8.2f}{row.value:+9.2f}   {interval}"
