"""Bring annotations of other tools in: `tools/dataset.py import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.program import add_debug_flag
from semseg.cli.progress import show_count
from semseg.cli.source import add_nproc, num_processes
from semseg.system.wording import for_people

_IMPORT_FORMATS = {  # SOURCE, what is read and in which order it is painted
    "labelme": (
        "a JSON file, or a folder of them",
        "labelme's JSON files; shapes are painted in file order, later ones over earlier ones. Polygons, "
        "rectangles, circles, lines and masks count, points do not.",
    ),
    "coco": (
        "the JSON file",
        "COCO's instances JSON; crowds are painted first, then larger areas before smaller ones, later "
        "ones over earlier ones. Polygons and run lengths.",
    ),
    "cvat": (
        "the XML file, or the folder that holds annotations.xml",
        "'CVAT for images 1.1' XML; shapes are painted by z_order, then in file order, later ones over "
        "earlier ones. Polygons, boxes, ellipses and masks count, points, cuboids and skeletons do not.",
    ),
    "colors": (
        "the folder of the masks",
        "coloured masks; each pixel has the colour of a class of --classes. Masks and images (--images) "
        "belong together by their names without suffix.",
    ),
    "class-masks": (
        "the folder of the masks",
        "masks of one class each; several files for an image, named CLASS/IMAGE.png, IMAGE_CLASS.png or "
        "IMAGE/CLASS.png. A pixel belongs to the class where its mask is not black. The masks of an image are painted "
        "in the order of the classes, so that where they overlap the later class wins; the overlaps are counted.",
    ),
}


_LINE_WIDTHS = {
    "labelme": "of lines (default: 10, as labelme draws them)",
    "cvat": "of polylines (default: they are left out)",
}


def add_import(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "import",
        help="turn annotations of labelme, COCO, CVAT, coloured masks, or masks of one class each into a data set",
        description=(
            "Turn annotations into index PNGs (DIR/train_ids/SPLIT) and a dataset.yaml that names them. "
            "The images stay where they are unless --copy is given. Further splits go into the same DIR."
        ),
    )
    formats = parser.add_subparsers(dest="format", title="formats", metavar="FORMAT", required=True)
    for name, (source, about) in _IMPORT_FORMATS.items():
        own = formats.add_parser(name, help=about.split(";")[0], description=about)
        own.add_argument("source", type=Path, metavar="SOURCE", help=source)
        own.add_argument("--out", dest="out_dir", type=Path, required=True, metavar="DIR", help="such as data/NAME")
        own.add_argument("--split", default="train", help="train, val or test (default: %(default)s)")
        own.add_argument("--images", dest="images_dir", type=Path, metavar="DIR", help="where the images are")
        own.add_argument(
            "--classes",
            metavar="FILE",
            help="YAML or text with the classes in their order, or the word cityscapes; default: "
            "those of DIR/dataset.yaml where it has other splits, else all that occur (COCO: all "
            "categories), sorted by name",
        )
        own.add_argument(
            "--map",
            dest="label_map",
            nargs="+",
            action="extend",
            default=[],
            metavar="LABEL=CLASS",
            help="labels (coloured masks: '#rrggbb') that become another class, or ignore (255)",
        )
        if name in ("colors", "class-masks"):
            own.add_argument("--mask-suffix", nargs="+", default=[], help="ends of mask names (.png)")
            own.add_argument("--image-suffix", nargs="+", default=[], help="ends of image names")
        if name == "class-masks":
            own.add_argument(
                "--threshold",
                type=int,
                metavar="N",
                help="of masks with soft edges: brightness, 1 to 255, from which a pixel belongs to the class",
            )
        if name == "colors":
            own.add_argument(
                "--snap",
                type=float,
                metavar="N",
                help="take an unknown colour for the nearest one, up to this RGB distance",
            )
        else:
            own.add_argument("--background", metavar="CLASS", help="class of unpainted pixels (default: 255)")
        if name == "coco":
            own.add_argument(
                "--order",
                choices=("area", "file"),
                default="area",
                help="of painting; file: for objects whose hidden parts are drawn too (default: %(default)s)",
            )
        if name in ("labelme", "cvat"):
            own.add_argument("--line-width", type=int, metavar="PX", help=_LINE_WIDTHS[name])
        own.add_argument("--skip-broken", action="store_true", help="leave out absent images and undrawable shapes")
        own.add_argument("--copy", action="store_true", help="copy the images to DIR/images")
        own.add_argument("--overwrite", action="store_true", help="replace a split, or a dataset.yaml, from elsewhere")
        add_nproc(own)
        add_debug_flag(own)
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
