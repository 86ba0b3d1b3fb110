"""Import published sets of two classes: `tools/dataset.py import drive`, `import crackforest`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.program import add_debug_flag
from semseg.cli.progress import show_count
from semseg.cli.source import add_copy, add_nproc, num_processes
from semseg.system.wording import for_people

_SETS = {  # format: title, layout
    "drive": (
        "DRIVE, vessels in retinal photographs, with the field of view as region of interest",
        "training/images, training/1st_manual, training/mask, and the same in test. The last fifth of the training "
        "pictures becomes val.",
    ),
    "crackforest": (
        "CrackForest, cracks in pavement, from .mat files",
        "image (001.jpg), groundTruth (001.mat). Of every ten pictures, by name, six become train, one val, three "
        "test.",
    ),
}


def add_published(formats: argparse._SubParsersAction) -> None:
    for name, (title, layout) in _SETS.items():
        parser = formats.add_parser(name, help=title, description=f"{title}. Layout: {layout}")
        parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder of the set")
        parser.add_argument(
            "--out", dest="out_dir", type=Path, required=True, metavar="DIR", help=f"output folder, such as data/{name}"
        )
        add_copy(parser)
        parser.add_argument("--overwrite", action="store_true", help="replace a dataset.yaml of another origin")
        add_nproc(parser)
        add_debug_flag(parser)
        parser.set_defaults(run=_run_published)  # instead of that of the other formats


def _run_published(args: argparse.Namespace) -> int:
    from semseg.datasets.importers import crackforest, drive
    from semseg.datasets.importers.two_class_sets import SetRequest, plan_set

    read_source = {"drive": drive.read_drive, "crackforest": crackforest.read_crackforest}[args.format]
    request = SetRequest(
        source=args.source,
        out_dir=args.out_dir,
        copy=args.copy,
        overwrite=args.overwrite,
        num_processes=num_processes(args),
    )
    plan = plan_set(request, read_source)
    with show_count("writing") as show:
        plan.write(show)
    print(for_people("\n".join(plan.describe())))
    return 0
