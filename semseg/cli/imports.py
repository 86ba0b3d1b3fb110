"""Import annotations of other tools: `tools/dataset.py import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.import_camvid import add_camvid
from semseg.cli.import_published import add_published
from semseg.cli.import_sets import add_sets
from semseg.cli.program import add_debug_flag
from semseg.cli.progress import show_count
from semseg.cli.source import add_copy, add_nproc, add_snap, num_processes
from semseg.system.wording import for_people

_IMPORT_FORMATS = {  # help of SOURCE; what is read, and the order in which it is painted
    "labelme": (
        "a JSON file, or a folder of them",
        "JSON files of labelme; shapes are painted in file order, later ones over earlier ones. Polygons, "
        "rectangles, circles, lines and masks are read; points are ignored.",
    ),
    "label-studio": (
        "the JSON file of an export, or a folder of them",
        "JSON of Label Studio; the newest annotation of each task is used, or its prediction if it has none; skipped "
        "tasks are left out. Shapes are painted in file order, later ones over earlier ones. Brush regions, polygons, "
        "rectangles and ellipses are read.",
    ),
    "coco": (
        "the JSON file",
        "instances JSON of COCO; crowds are painted first, then larger areas before smaller ones, later "
        "ones over earlier ones. Polygons and run-length encodings are read.",
    ),
    "cvat": (
        "the XML file, or the folder that holds annotations.xml",
        "'CVAT for images 1.1' XML; shapes are painted by z_order, then in file order, later ones over "
        "earlier ones. Polygons, boxes, ellipses and masks are read; points, cuboids and skeletons are ignored.",
    ),
    "colors": (
        "the folder of the masks",
        "coloured masks; each pixel has the colour of a class in --classes. Masks and images (--images) "
        "are paired by name without suffix.",
    ),
    "class-masks": (
        "the folder of the masks",
        "masks of one class each; several files per image, named CLASS/IMAGE.png, IMAGE_CLASS.png or "
        "IMAGE/CLASS.png; or one file per image, of one class, named IMAGE.png in a folder that is named as the class. "
        "A pixel belongs to a class if the mask of the class is not black there. The masks are "
        "painted in the order of the classes: where they overlap, the later class is kept. Overlaps are counted.",
    ),
}


_LINE_WIDTHS = {
    "labelme": "width of lines (default: 10, as in labelme)",
    "cvat": "width of polylines (default: polylines are ignored)",
}


def add_import(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "import",
        help="create a data set from annotations, from masks, or from a published set",
        description=(
            "Convert annotations to index PNGs (DIR/train_ids/SPLIT) and a dataset.yaml that lists them. "
            "The images are not copied unless --copy is given. Run it again with the same DIR to add a split."
        ),
    )
    formats = parser.add_subparsers(dest="format", title="formats", metavar="FORMAT", required=True)
    for name, (source, description) in _IMPORT_FORMATS.items():
        format_parser = formats.add_parser(name, help=description.split(";")[0], description=description)
        format_parser.add_argument("source", type=Path, metavar="SOURCE", help=source)
        format_parser.add_argument(
            "--out", dest="out_dir", type=Path, required=True, metavar="DIR", help="output folder, such as data/NAME"
        )
        format_parser.add_argument("--split", default="train", help="train, val or test (default: %(default)s)")
        format_parser.add_argument("--images", dest="images_dir", type=Path, metavar="DIR", help="folder of the images")
        format_parser.add_argument(
            "--classes",
            metavar="FILE",
            help="YAML or text file with the classes in order, or the word cityscapes; default: the "
            "classes of DIR/dataset.yaml if it has other splits, else all labels in SOURCE (COCO: all "
            "categories), sorted by name",
        )
        format_parser.add_argument(
            "--map",
            dest="label_map",
            nargs="+",
            action="extend",
            default=[],
            metavar="LABEL=CLASS",
            help="convert labels (coloured masks: '#rrggbb') to another class, or to ignore (255)",
        )
        if name in ("colors", "class-masks"):
            format_parser.add_argument("--mask-suffix", nargs="+", default=[], help="suffixes of masks (default: .png)")
            format_parser.add_argument("--image-suffix", nargs="+", default=[], help="suffixes of images")
        if name == "class-masks":
            format_parser.add_argument(
                "--threshold",
                type=int,
                metavar="N",
                help="for masks with soft edges: lowest brightness, 1 to 255, of a pixel that belongs to the class",
            )
        if name == "colors":
            add_snap(format_parser)
        else:
            format_parser.add_argument(
                "--background", metavar="CLASS", help="class of unannotated pixels (default: 255)"
            )
        if name == "coco":
            format_parser.add_argument(
                "--order",
                choices=("area", "file"),
                default="area",
                help="painting order; file: use it if hidden parts are annotated too (default: %(default)s)",
            )
        if name in ("labelme", "cvat"):
            format_parser.add_argument("--line-width", type=int, metavar="PX", help=_LINE_WIDTHS[name])
        format_parser.add_argument("--skip-broken", action="store_true", help="skip missing images and invalid shapes")
        add_copy(format_parser)
        format_parser.add_argument(
            "--overwrite", action="store_true", help="replace an existing split, or a dataset.yaml of another origin"
        )
        add_nproc(format_parser)
        add_debug_flag(format_parser)
    add_camvid(formats)
    add_published(formats)
    add_sets(formats)
    parser.set_defaults(run=_run_import)


def _run_import(args: argparse.Namespace) -> int:
    from semseg.datasets import importers

    plan = importers.plan(
        importers.Request(
            format=args.format,
            source=args.source,
            out_dir=args.out_dir,
            split=args.split,
            images_dir=args.images_dir,
            classes=args.classes,
            label_map=tuple(args.label_map),
            background=getattr(args, "background", None),
            order=getattr(args, "order", "area"),
            line_width_px=getattr(args, "line_width", None),
            mask_suffix=tuple(getattr(args, "mask_suffix", ())),
            image_suffix=tuple(getattr(args, "image_suffix", ())),
            snap=getattr(args, "snap", None),
            threshold=getattr(args, "threshold", None),
            skip_broken=args.skip_broken,
            copy=args.copy,
            overwrite=args.overwrite,
            num_processes=num_processes(args),
        )
    )
    with show_count("painting") as show:
        written = plan.write(show)
    print(for_people("\n".join(plan.describe(written))))
    return 0
