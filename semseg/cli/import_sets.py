"""Import published sets with all their splits: `tools/dataset.py import ade20k`, `voc`, `yolo` and others."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.program import add_debug_flag
from semseg.cli.progress import show_count
from semseg.cli.source import add_copy, add_nproc, add_snap, num_processes
from semseg.system.wording import for_people

_IN_PLACE = "The masks hold ids and stay where they are; --copy writes index PNGs and copies of the images instead."
_INDEX_PNGS = "Index PNGs are written to DIR/train_ids."
SET_FORMATS = {  # help of SOURCE; short help; description
    "class-dict": (
        "the folder that holds class_dict.csv",
        "coloured masks with a class_dict.csv, as on Kaggle",
        "Coloured masks whose classes and colours are in a class_dict.csv (name,r,g,b). Folders such as train/ and "
        "train_labels/, images/ and masks/, or images and masks in one folder; masks named as their image, or with "
        f"_label, _L or _mask behind the name. {_INDEX_PNGS}",
    ),
    "mapillary-v1.2": (
        "the folder that holds training/ and config.json or config_v1.2.json",
        "Mapillary Vistas, labels of version 1.2",
        "Mapillary Vistas with the 66 labels of version 1.2; those with evaluate: false in the config are ignored. "
        f"{_IN_PLACE}",
    ),
    "mapillary-v2.0": (
        "the folder that holds training/ and config_v2.0.json",
        "Mapillary Vistas, labels of version 2.0",
        "Mapillary Vistas with the 124 labels of version 2.0; those with evaluate: false in the config are ignored. "
        f"{_IN_PLACE}",
    ),
    "bdd100k": (
        "the folder that holds images/10k/ and labels/sem_seg/",
        "BDD100K, semantic segmentation",
        f"The 10k images of BDD100K with masks, which hold the train ids of Cityscapes. {_IN_PLACE}",
    ),
    "ade20k": (
        "the folder ADEChallengeData2016",
        "ADE20K, 150 classes",
        f"The 150 classes of ADE20K's scene parsing challenge; 0 (all other objects) is ignored. {_IN_PLACE}",
    ),
    "voc": (
        "the folder that holds JPEGImages/, or VOCdevkit",
        "Pascal VOC, with SegmentationClassAug if it is there",
        "Pascal VOC with the lists of ImageSets/Segmentation; borders (255) are ignored. The masks of "
        f"SegmentationClassAug are added to train if the folder is there. {_IN_PLACE}",
    ),
    "loveda": (
        "the folder that holds Train/ and Val/",
        "LoveDA, land cover",
        f"LoveDA, its rural and urban parts together; 0 (no data) is ignored. {_IN_PLACE}",
    ),
    "yolo": (
        "data.yaml, or its folder",
        "polygons of YOLO (Ultralytics)",
        "Polygons of YOLO: data.yaml names the classes and the folders of images; each image has a text file in "
        "labels/ with lines of class x1 y1 x2 y2 .... Larger polygons are painted first; pixels without polygon are "
        f"background. {_INDEX_PNGS}",
    ),
}

_HUGGINGFACE = (
    "the folder that save_to_disk wrote",
    "a data set that Hugging Face's datasets saved to the disk",
    "A folder that Dataset.save_to_disk or DatasetDict.save_to_disk of Hugging Face's datasets wrote. Its Arrow files "
    "are read with pyarrow; no code is executed. The image files are written to DIR/images as they are, the masks as "
    "index PNGs to DIR/train_ids.",
)


def add_sets(formats: argparse._SubParsersAction) -> None:
    for name, (source, short, description) in {**SET_FORMATS, "huggingface": _HUGGINGFACE}.items():
        parser = formats.add_parser(name, help=short, description=f"{description} All splits are imported at once.")
        parser.add_argument("source", type=Path, metavar="SOURCE", help=source)
        parser.add_argument(
            "--out", dest="out_dir", type=Path, required=True, metavar="DIR", help="output folder, such as data/NAME"
        )
        parser.add_argument(
            "--map",
            dest="label_map",
            nargs="+",
            action="extend",
            default=[],
            metavar="LABEL=CLASS",
            help="convert a class, a stored value or a colour ('#rrggbb') to another class, to a new one, or to ignore "
            "(255)",
        )
        if name == "class-dict":
            add_snap(parser)
        parser.add_argument("--skip-broken", action="store_true", help="skip missing images and invalid annotations")
        if name == "huggingface":
            _add_columns(parser)
        else:
            add_copy(parser)
        parser.add_argument("--overwrite", action="store_true", help="replace a dataset.yaml of another origin")
        add_nproc(parser)
        add_debug_flag(parser)
        # instead of that of the other formats
        parser.set_defaults(run=_run_saved_set if name == "huggingface" else _run_set)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image-column", metavar="NAME", help="column of the images (default: by type and name)")
    parser.add_argument("--label-column", metavar="NAME", help="column of the masks (default: by type and name)")
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="YAML or text file with the classes in order, or the word cityscapes; default: those of the features",
    )


def _run_set(args: argparse.Namespace) -> int:
    from semseg.datasets import importers

    request = importers.SetRequest(
        format=args.format,
        source=args.source,
        out_dir=args.out_dir,
        label_map=tuple(args.label_map),
        snap=getattr(args, "snap", None),
        skip_broken=args.skip_broken,
        copy=args.copy,
        overwrite=args.overwrite,
        num_processes=num_processes(args),
    )
    with show_count("checking") as show:
        plan = importers.plan_set(request, show)
    with show_count("writing") as show:
        plan.write(show)
    print(for_people("\n".join(plan.describe())))
    return 0


def _run_saved_set(args: argparse.Namespace) -> int:
    from semseg.datasets import importers

    request = importers.SavedSetRequest(
        source=args.source,
        out_dir=args.out_dir,
        image_column=args.image_column,
        label_column=args.label_column,
        classes=args.classes,
        label_map=tuple(args.label_map),
        skip_broken=args.skip_broken,
        overwrite=args.overwrite,
        num_processes=num_processes(args),
    )
    with show_count("checking") as show:
        plan = importers.plan_saved_set(request, show)
    with show_count("writing") as show:
        plan.write(show)
    print(for_people("\n".join(plan.describe())))
    return 0
