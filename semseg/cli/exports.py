"""Export masks for labelling tools: `tools/dataset.py export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.cli.source import SPLITS, add_copy, add_nproc, num_processes
from semseg.system.wording import for_people

FORMATS = ("label-studio", "cvat-mask", "cvat-polygon", "coco", "labelme-mask", "labelme-polygon")


def add_export(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export",
        help="write predictions, pseudo-labels or labels for Label Studio, CVAT, COCO or labelme, to correct them",
        description=(
            "Write masks as annotations of a labelling tool: predictions of tools/infer.py (pred) and tools/test.py "
            "(predicted), pseudo-labels of tools/analyze.py gap, or a split of a dataset.yaml. 255 is not labelled: "
            "there is no shape. `import` reads the corrections, to the same pixels where nothing was corrected."
        ),
    )
    parser.add_argument(
        "format",
        choices=FORMATS,
        metavar="FORMAT",
        help="label-studio (brush regions), cvat-mask, cvat-polygon, coco (run lengths), labelme-mask or "
        "labelme-polygon; of masks there is one shape for each class, of polygons one for each region",
    )
    parser.add_argument("source", type=Path, metavar="MASKS", help="a folder of index PNGs, or a dataset.yaml")
    parser.add_argument("--out", dest="out_dir", type=Path, required=True, metavar="DIR", help="folder of the package")
    parser.add_argument(
        "--images",
        dest="images_dir",
        type=Path,
        metavar="DIR",
        help="folder of the images, whose names without suffix are those of the masks; for a folder of masks",
    )
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="YAML or text file with the classes in order, a dataset.yaml, or the word cityscapes; for a folder of "
        "masks",
    )
    parser.add_argument("--split", choices=SPLITS, help="of a dataset.yaml (default: train)")
    add_copy(parser)
    add_nproc(parser)
    parser.set_defaults(run=_run_export)


def _run_export(args: argparse.Namespace) -> int:
    from semseg.datasets import exporters

    package = exporters.plan(
        exporters.Request(
            format=args.format,
            source=args.source,
            out_dir=args.out_dir,
            images_dir=args.images_dir,
            classes=args.classes,
            split=args.split,
            copy=args.copy,
            num_processes=num_processes(args),
        )
    )
    with show_count("writing") as show:
        written = package.write(show)
    print(for_people("\n".join(package.describe(written))))
    return 0
