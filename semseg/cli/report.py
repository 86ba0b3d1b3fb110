"""Write a report about a run: `tools/analyze.py report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.errors import InvalidInputError


def add_report(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "report",
        help="write a report about a run: scores, curves, confusions, worst images",
        description=(
            "Write one HTML file that needs no network: settings, scores with intervals, curves, classes, confusions, "
            "and images, worst first. For the work folder of a training, the newest results are used. Sections "
            "without data are left out, with the reason."
        ),
    )
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="WORK_DIR|RESULTS",
        help="folder of the run; optionally a second one to compare the classes with",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="output file; default: RESULTS/report.html")
    parser.add_argument(
        "--max-images", type=int, default=500, metavar="N", help="show the N worst images (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", action="store_true", help="also write the images in full size next to the report, and link them"
    )
    parser.add_argument(
        "--explained",
        type=Path,
        default=Path("outputs/explain"),
        metavar="DIR",
        help="link the results of tools/analyze.py explain in DIR (default: %(default)s)",
    )
    parser.set_defaults(run=_run_report)


def _run_report(args: argparse.Namespace) -> int:
    if len(args.results) > 2:
        raise InvalidInputError(
            f"a report is about one run, or two to compare; got {len(args.results)}", code="E-input-value"
        )
    if args.max_images < 0:
        raise InvalidInputError(f"--max-images is 0 or more, got {args.max_images}", code="E-input-range")
    if args.out is not None and args.out.suffix.lower() not in (".html", ".htm"):
        raise InvalidInputError(f"--out is an HTML file such as report.html, got {args.out}", code="E-input-value")

    from semseg.analysis.report.page import write_report

    with show_count("drawing") as show:
        path = write_report(
            *args.results,
            out=args.out,
            max_images=args.max_images,
            with_large=args.pictures,
            explained_dir=args.explained,
            on_progress=show,
        )
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0
