"""The options of `tools/dataset.py import`; their `dest` is a field of `importers.Request`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_MAP = dict(dest="label_map", nargs="+", action="extend", default=[], metavar="LABEL=CLASS")
_CLASS_FILE = "YAML or text file with the classes in order, or the word cityscapes; default: "

OPTIONS: dict[
    str, tuple[str, dict[str, Any]]
] = {  # name: flag, arguments; a flag has several names if its help differs
    "split": ("--split", dict(default="train", help="train, val or test (default: %(default)s)")),
    "images": ("--images", dict(dest="images_dir", type=Path, metavar="DIR", help="folder of the images")),
    "classes": (
        "--classes",
        dict(
            metavar="FILE",
            help=f"{_CLASS_FILE}the classes of DIR/dataset.yaml if it has other splits, else all labels in SOURCE "
            "(COCO: all categories), sorted by name",
        ),
    ),
    "feature-classes": ("--classes", dict(metavar="FILE", help=f"{_CLASS_FILE}those of the features")),
    "num-classes": (
        "--classes",
        dict(
            dest="num_classes",
            type=int,
            choices=(11, 32),
            default=11,
            help="11: group the classes as SegNet does; 32: keep all of the original masks. Void is ignored in both "
            "(default: %(default)s)",
        ),
    ),
    "by-drive": (
        "--by-drive",
        dict(action="store_true", help="divide by drive, even if there are lists or folders of splits"),
    ),
    "map": (
        "--map",
        dict(_MAP, help="convert labels (coloured masks: '#rrggbb') to another class, or to ignore (255)"),
    ),
    "map-values": (
        "--map",
        dict(
            _MAP,
            metavar="VALUE=CLASS",
            help="convert a colour ('#rrggbb') or a stored id to a class, or to ignore (255)",
        ),
    ),
    "map-classes": (
        "--map",
        dict(
            _MAP,
            help="convert a class, a stored value or a colour ('#rrggbb') to another class, to a new one, or to ignore "
            "(255)",
        ),
    ),
    "mask-suffix": ("--mask-suffix", dict(nargs="+", default=[], help="suffixes of masks (default: .png)")),
    "image-suffix": ("--image-suffix", dict(nargs="+", default=[], help="suffixes of images")),
    "threshold": (
        "--threshold",
        dict(
            type=int,
            metavar="N",
            help="for masks with soft edges: lowest brightness, 1 to 255, of a pixel that belongs to the class",
        ),
    ),
    "snap": (
        "--snap",
        dict(
            type=float,
            metavar="N",
            help="replace an unknown colour by the nearest known one, up to this RGB distance",
        ),
    ),
    "background": ("--background", dict(metavar="CLASS", help="class of unannotated pixels (default: 255)")),
    "order": (
        "--order",
        dict(
            choices=("area", "file"),
            default="area",
            help="painting order; file: use it if hidden parts are annotated too (default: %(default)s)",
        ),
    ),
    "line-width": (
        "--line-width",
        dict(dest="line_width_px", type=int, metavar="PX", help="width of lines (default: 10, as in labelme)"),
    ),
    "polyline-width": (
        "--line-width",
        dict(
            dest="line_width_px",
            type=int,
            metavar="PX",
            help="width of polylines (default: polylines are ignored)",
        ),
    ),
    "image-column": (
        "--image-column",
        dict(metavar="NAME", help="column of the images (default: by type and name)"),
    ),
    "label-column": (
        "--label-column",
        dict(metavar="NAME", help="column of the masks (default: by type and name)"),
    ),
    "skip-broken": ("--skip-broken", dict(action="store_true", help="skip missing images and invalid annotations")),
    "copy": ("--copy", dict(action="store_true", help="copy the images to DIR/images")),
    "overwrite": ("--overwrite", dict(action="store_true", help="replace a dataset.yaml of another origin")),
    "overwrite-split": (
        "--overwrite",
        dict(action="store_true", help="replace an existing split, or a dataset.yaml of another origin"),
    ),
}
