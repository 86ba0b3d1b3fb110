"""Pack a data set for fast training: `tools/dataset.py pack`."""

from __future__ import annotations

import argparse
from pathlib import Path

from semseg.cli.progress import show_count
from semseg.cli.source import add_nproc, add_source, load_source, num_processes
from semseg.system.wording import for_people


def add_pack(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "pack",
        help="decode a data set once, into tiles that a training reads fast",
        description=(
            "Decode every photograph and mask once, and write them as compressed tiles of 256x256 pixels. "
            "tools/train.py --packed DIR reads only the tiles of each crop, instead of decoding whole files. The same "
            "command continues after an interruption, and packs a split again if its files have changed."
        ),
    )
    add_source(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the packed set")
    add_nproc(parser)
    parser.set_defaults(run=_run_pack)


def _run_pack(args: argparse.Namespace) -> int:
    processes = num_processes(args)

    from semseg import compat

    compat.repair()
    cfg = load_source(args)

    from semseg.config.parts_to_pack import parts_of_config, parts_of_dataset_file
    from semseg.datasets.packed.packing import pack_split
    from semseg.system.atomic import check_folder
    from semseg.system.machine import format_bytes

    check_folder(args.out, "out")
    parts = parts_of_dataset_file(args.source, args.split) if cfg is None else parts_of_config(cfg, args.split)
    with show_count("packing") as show:
        packed = pack_split(parts, args.split, args.out, processes, show)
    done = "packed" if packed.is_new else "is packed already"
    print(
        f"{args.out}: {args.split} {done}, {packed.num_pictures} pictures, {format_bytes(packed.num_bytes)}, "
        f"{packed.num_bytes / packed.num_source_bytes:.2f} times the size of the files"
    )
    print(for_people(f"train on it: tools/train.py CONFIG --packed {args.out}"))
    return 0
