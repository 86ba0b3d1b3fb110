"""Measure by how much related training images flatter a score: `tools/analyze.py leak`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from semseg.errors import InvalidInputError
from semseg.system.wording import for_people, listing

if TYPE_CHECKING:
    from semseg.analysis.leak import Leak

_WIDTH = 26


def add_leak(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "leak",
        help="measure by how much related images in training and test flatter a score",
        description=(
            "Frames of one drive, sequence, patient or place in training and test flatter the score. With one test: "
            "the scores of images whose group was in the training, against those of other groups. With a second test, "
            "of a model that was trained on as many images without these groups: the difference of the scores on the "
            "same images. Writes an HTML page too."
        ),
    )
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="results folder of tools/test.py; optionally a second one, of a model trained without the tested groups",
    )
    parser.add_argument(
        "--data", nargs="+", type=Path, required=True, metavar="FILE", help="dataset.yaml of the training of each model"
    )
    parser.add_argument(
        "--group-by",
        default="auto",
        metavar="RULE",
        help="auto, folder, prefix or regex:PATTERN, as of tools/dataset.py split (default: auto)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="output file; default: RESULTS/leak.html")
    parser.set_defaults(run=_run_leak)


def _run_leak(args: argparse.Namespace) -> int:
    if len(args.results) > 2 or len(args.data) != len(args.results):
        raise InvalidInputError(
            "`data` needs a dataset.yaml for each of one or two results; got"
            f" {len(args.results)} results and {len(args.data)} files",
            code="E-input-value",
        )
    if args.out is not None and args.out.suffix.lower() not in (".html", ".htm"):
        raise InvalidInputError(f"`out` is an HTML file such as leak.html, got {args.out}", code="E-input-value")

    from semseg.analysis.leak import measure
    from semseg.analysis.report.leak_page import write_page
    from semseg.evaluation.results import read_results

    leak = measure([read_results(folder) for folder in args.results], args.data, args.group_by)
    _print(leak)
    path = args.out or args.results[0] / "leak.html"
    write_page(path, leak)
    print(f"wrote {path}")
    return 0


def _print(leak: Leak) -> None:
    print(f"groups by {leak.evidence}")
    if not leak.is_sure:
        print(for_people("warning: these groups are a guess; `group_by` gives a rule of your own"))
    for label, training in zip("AB", leak.trainings, strict=False):
        counts = f"{training.num_images} images, {training.num_related} of tested groups"
        print(f"{label}  trained on {counts}: {training.path}")
    if not leak.shared:
        print("no tested group is in the training: nothing flatters the score")
    else:
        counts = (f"{group} ({trained} trained, {tested} tested)" for group, (trained, tested) in leak.shared.items())
        print(f"groups in both: {listing(counts)}")
    print(f"\n{'':{_WIDTH}}{'groups':>8}{'images':>8}{'mIoU':>8}   95 % interval")
    for part in leak.parts:
        value, low, high = part.scores["mIoU"]
        interval = f"{low:.2f} to {high:.2f}, over {part.unit}" if low == low else "-"
        print(f"{part.name:{_WIDTH}}{part.num_groups:>8}{part.num_images:>8}{value:>8.2f}   {interval}")
    if leak.shared and len(leak.parts) == 1 and not leak.scores:
        print(
            "all tested images are of groups that were in the training: add the test of a model that was trained"
            " without these groups"
        )
    difference = leak.seen_less_unseen
    if difference is not None:
        shown = f"{difference.low:+.2f} to {difference.high:+.2f}" if difference.low == difference.low else "-"
        print(f"{'seen - other, shared classes':{_WIDTH + 16}}{difference.value:>+8.2f}   {shown}")
    if leak.scores:
        print(f"\n{'':{_WIDTH}}{'A':>8}{'B':>8}{'A - B':>9}   95 % interval, over {leak.unit}")
        for row in [*leak.scores, *leak.classes]:
            if row.value != row.value:
                continue
            chance = "" if row.is_sure else "  (could be chance)"
            values = f"{row.second:>8.2f}{row.first:>8.2f}{row.value:>+9.2f}"
            print(f"{row.name:{_WIDTH}}{values}   {row.low:+.2f} to {row.high:+.2f}{chance}")
        for sentence in leak.doubts():
            print(f"note: {sentence}")
