"""Write the train-id images and split lists of Cityscapes.

Every `*_gtFine_labelIds.png` or `*_gtFine_polygons.json` gets its `*_gtFine_labelTrainIds.png`; `train.txt`,
`val.txt` and `test.txt` list the images. What is up to date is left alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag, run_tool


def main() -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, metavar="ROOT", help="the dataset's folder, as data/cityscapes")
    parser.add_argument("--gt-dir", default="gtFine", help="folder of the annotations (default: %(default)s)")
    parser.add_argument(
        "--from",
        dest="source",
        choices=["auto", "polygons", "labelids"],
        default="auto",
        help="draw the polygons, or translate the label ids (same pixels); auto: label ids where "
        "they are there, readable, and not older than the polygons (default: %(default)s)",
    )
    parser.add_argument("-o", "--out-dir", type=Path, help="where the split lists go (default: ROOT)")
    parser.add_argument("--nproc", type=int, default=1, help="number of processes (default: %(default)s)")
    add_debug_flag(parser)
    args = parser.parse_args()

    from rich.console import Console
    from rich.progress import Progress

    from semseg.datasets.cityscapes import convert

    # refreshed by hand: a refreshing thread and forked processes do not go together
    bar = Progress(console=Console(stderr=True), auto_refresh=False, transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("converting", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, refresh=done % 10 == 0 or done == total)

        try:
            counts = convert.convert(args.root, args.gt_dir, args.out_dir, args.nproc, show, args.source)
        except convert.ConversionError as error:
            if args.debug:
                raise
            bar.stop()
            print(f"error: {error}", file=sys.stderr)
            return 1
    print("\n".join(convert.describe(counts, args.gt_dir)))
    return 0


if __name__ == "__main__":
    run_tool(main)
