"""Draw ToyCity, or another city: `tools/dataset.py toycity`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_progress
from semseg.errors import InvalidInputError

TOYCITY_COUNTS = {"train": 200, "val": 40, "test": 20}
ROSARIO_COUNTS = {"photos": 24, "labelled": 20}
_SIZE = "512x256"


def add_toycity(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "toycity",
        help="draw street scenes in the layout of Cityscapes",
        description=(
            "Draw street scenes with the classes of Cityscapes. Style toycity writes ROOT/leftImg8bit and "
            "ROOT/gtFine in the layout of Cityscapes (polygons and label ids). Style rosario writes "
            "unlabelled photographs of another city to ROOT, and a small set of other streets with train-id "
            "masks to ROOT_labelled. The same seed gives the same files. Existing files with the same names "
            "are replaced; other files are kept."
        ),
    )
    parser.add_argument("root", type=Path, metavar="ROOT", help="output folder, such as data/toycity")
    parser.add_argument(
        "--style",
        choices=("toycity", "rosario"),
        default="toycity",
        help="style of the streets (default: %(default)s)",
    )
    for name, count in TOYCITY_COUNTS.items():
        parser.add_argument(
            f"--{name}",
            type=int,
            metavar="N",
            help=f"toycity: pictures of the split {name} (default: {count})",
        )
    parser.add_argument("--size", metavar="WxH", help=f"toycity: width and height of the pictures (default: {_SIZE})")
    for name, noun in (("photos", "photographs without labels"), ("labelled", "pictures with masks")):
        parser.add_argument(
            f"--{name}", type=int, metavar="N", help=f"rosario: {noun} (default: {ROSARIO_COUNTS[name]})"
        )
    parser.add_argument("--seed", type=int, default=0, help="both: random seed (default: 0)")
    parser.add_argument(
        "--nproc",
        type=int,
        metavar="N",
        help="both: number of processes (default: one per CPU); it does not change the files",
    )
    parser.set_defaults(run=_run_toycity)


def _run_toycity(args: argparse.Namespace) -> int:
    from semseg.system.machine import num_cpus

    counts, unused_options = TOYCITY_COUNTS, ROSARIO_COUNTS
    if args.style == "rosario":
        counts, unused_options = ROSARIO_COUNTS, {**TOYCITY_COUNTS, "size": None}
    for name in unused_options:
        if getattr(args, name) is not None:
            raise InvalidInputError(
                f"--{name} has no effect with --style {args.style}; leave it out", code="E-input-no-effect"
            )
    counts = {name: default if getattr(args, name) is None else getattr(args, name) for name, default in counts.items()}
    size = _parse_size(args.size or _SIZE)
    if not args.root.name:
        raise InvalidInputError(
            f"ROOT needs a name of its own such as data/toycity, got '{args.root}'", code="E-input-value"
        )

    from semseg.datasets import toycity

    if args.style == "toycity":
        pictures = toycity.plan_cityscapes(args.root, counts, size, args.seed)
        summary = f"{args.root}: wrote {counts['train']} train, {counts['val']} val, {counts['test']} test pictures"
    else:
        pictures = toycity.plan_rosario(args.root, counts["photos"], counts["labelled"], args.seed)
        summary = (
            f"{args.root}: wrote {counts['photos']} photographs; "
            f"{toycity.labelled_root(args.root)}: wrote {counts['labelled']} labelled pictures"
        )
    num_processes = num_cpus() if args.nproc is None else args.nproc
    for _ in show_progress(toycity.write_all(pictures, num_processes), len(pictures), "drawing"):
        pass
    if args.style == "rosario" and counts["labelled"]:
        toycity.describe_labelled(args.root)
    print(summary)
    return 0


def _parse_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT."""
    width, cross, height = text.partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise InvalidInputError(f"--size is WIDTHxHEIGHT such as {_SIZE}, got '{text}'", code="E-input-value")
    return int(width), int(height)
