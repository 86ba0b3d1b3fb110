"""Write the train-id images and split lists of Cityscapes.

For every `*_gtFine_labelIds.png` or `*_gtFine_polygons.json`, write `*_gtFine_labelTrainIds.png`. `train.txt`,
`val.txt` and `test.txt` list the images. Files that are up to date are not written again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag


def main(argv: Sequence[str] | None = None) -> int:
    """Convert a folder, and return the exit code."""
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _add_arguments(parser)
    add_debug_flag(parser)
    return convert(parser.parse_args(argv))


def add_convert(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command `convert-cityscapes`."""
    parser = commands.add_parser(
        "convert-cityscapes",
        help="write the train-id images and split lists of Cityscapes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_arguments(parser)
    parser.set_defaults(run=convert)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", type=Path, metavar="ROOT", help="root folder of the data set, such as data/cityscapes")
    parser.add_argument("--gt-dir", default="gtFine", help="folder of the annotations (default: %(default)s)")
    parser.add_argument(
        "--from",
        dest="source",
        choices=["auto", "polygons", "labelids"],
        default="auto",
        help="draw the polygons, or convert the label ids; the pixels are the same. auto: use the label ids if "
        "they exist, are readable, and are not older than the polygons (default: %(default)s)",
    )
    parser.add_argument("-o", "--out-dir", type=Path, help="folder of the split lists (default: ROOT)")
    parser.add_argument("--nproc", type=int, default=1, help="number of processes (default: %(default)s)")


def convert(args: argparse.Namespace) -> int:
    """Run the conversion for parsed arguments, and return the exit code."""
    from rich.console import Console
    from rich.progress import Progress

    from semseg.datasets.cityscapes import convert as converter

    # no refresh thread: forking a process that runs threads can deadlock
    bar = Progress(console=Console(stderr=True), auto_refresh=False, transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("converting", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, refresh=done % 10 == 0 or done == total)

        try:
            counts = converter.convert(args.root, args.gt_dir, args.out_dir, args.nproc, show, args.source)
        except converter.ConversionError as error:
            if args.debug:
                raise
            bar.stop()
            print(f"error: {error}", file=sys.stderr)
            return 1
    print("\n".join(converter.describe(counts, args.gt_dir)))
    return 0
