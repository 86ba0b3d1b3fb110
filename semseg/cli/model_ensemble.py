"""Join models to an ensemble: `tools/model.py ensemble`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_ensemble(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "ensemble",
        help="join several checkpoints to one whose probabilities are the mean of theirs",
        description=(
            "Write a checkpoint that holds several models, and predicts with the mean of their probabilities. It is "
            "tested, used and served as any other checkpoint; each picture takes as long as with all models."
        ),
    )
    parser.add_argument(
        "members",
        nargs="+",
        type=Path,
        metavar="CHECKPOINT",
        help="checkpoints of models with the same classes and input, or the work folder of train --folds",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the checkpoint to write, a .pth file")
    parser.set_defaults(run=_run_ensemble)


def _run_ensemble(args: argparse.Namespace) -> int:
    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.inference.ensemble_file import find_members, write_ensemble

    members = find_members(args.members)
    print(f"{write_ensemble(members, args.out)}: {len(members)} models, {args.out.stat().st_size / 1e6:.1f} MB")
    for path in members:
        print(f"  {path}")
    return 0
