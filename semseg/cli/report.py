"""One page about a run: `tools/analyze.py report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.errors import InvalidInputError


def add_report(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "report",
        help="one page about a run: numbers, curves, confusions, the worst images",
        description=(
            "Write one HTML file that needs no network: what was run, numbers with intervals, curves, classes, "
            "confusions, the worst images first. Of a training's work folder the newest results count. What has no "
            "data is left out, and the page says why."
        ),
    )
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="WORK_DIR|RESULTS",
        help="of the run, then, if wanted, of a second one to compare the classes with",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: RESULTS/report.html")
    parser.add_argument(
        "--max-images", type=int, default=500, metavar="N", help="show the N worst images (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", action="store_true", help="write pictures in full size beside the report, and link them"
    )
    parser.add_argument(
        "--explained",
        type=Path,
        default=Path("outputs/explain"),
        metavar="DIR",
        help="link what tools/analyze.py explain wrote there (default: %(default)s)",
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
