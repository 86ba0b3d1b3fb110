"""Look at a trained model and hand it on: `tools/model.py describe`, `publish`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_describe(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "describe",
        help="what a checkpoint is: classes, model, data, schedule, metrics, versions, command",
        description="Say what a checkpoint is. Nothing in it is executed, whoever wrote it.",
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help=".pth, .pt, .ckpt, .pth.tar or .safetensors"
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON, the config too")
    _add_trust(parser)
    parser.set_defaults(run=_run_describe)


def add_publish(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "publish",
        help="strip a checkpoint to weights and description, named by its hash",
        description=(
            "Write <name>-<first 8 of its SHA-256>.pth and .safetensors with the weights and the description alone: "
            "no optimizer, no log. The same checkpoint gives the same bytes. Of a run with a moving average of its "
            "weights (EMA) the average is taken."
        ),
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help=".pth, .pt, .ckpt, .pth.tar or .safetensors"
    )
    parser.add_argument("--out-dir", type=Path, metavar="DIR", help="where to write (default: beside it)")
    _add_trust(parser)
    parser.set_defaults(run=_run_publish)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trust-checkpoint", action="store_true", help="load it even if it carries code, and run that")


def _trust(args: argparse.Namespace) -> None:
    if args.trust_checkpoint:
        from semseg import compat

        compat.trust_checkpoints()


def _run_describe(args: argparse.Namespace) -> int:
    from semseg.checkpoints.describe import as_json, summarize

    _trust(args)
    print(as_json(args.checkpoint) if args.json else "\n".join(summarize(args.checkpoint)))
    return 0


def _run_publish(args: argparse.Namespace) -> int:
    from semseg.checkpoints.publish import publish

    _trust(args)
    done = publish(args.checkpoint, args.out_dir)
    for path in done.paths:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    if done.is_averaged:
        print("the weights are the moving average (EMA), which validation used")
    if not done.is_described:
        print(f"{args.checkpoint} has no description: test and infer will need the config")
    return 0
