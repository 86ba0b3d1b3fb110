"""Describe and publish a trained model: `tools/model.py describe`, `publish`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_describe(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "describe",
        help="show classes, model, data, schedule, metrics, versions and command of a checkpoint",
        description="Show the description in a checkpoint. Code in the file is not executed.",
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help=".pth, .pt, .ckpt, .pth.tar or .safetensors"
    )
    parser.add_argument("--json", action="store_true", help="print the full description, with the config, as JSON")
    _add_trust(parser)
    parser.set_defaults(run=_run_describe)


def add_publish(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "publish",
        help="reduce a checkpoint to weights and description, and name it by its hash",
        description=(
            "Write <name>-<first 8 digits of the SHA-256>.pth and .safetensors with only the weights and the "
            "description, without optimizer and log. The same checkpoint always gives the same bytes. If the run "
            "kept a moving average of the weights (EMA), the average is written."
        ),
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help=".pth, .pt, .ckpt, .pth.tar or .safetensors"
    )
    parser.add_argument("--out-dir", type=Path, metavar="DIR", help="output folder (default: that of the checkpoint)")
    _add_trust(parser)
    parser.set_defaults(run=_run_publish)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust-checkpoint", action="store_true", help="load the file even if it contains code; runs it"
    )


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
    published = publish(args.checkpoint, args.out_dir)
    for path in published.paths:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    if published.is_averaged:
        print("the weights are the moving average (EMA), which validation used")
    if not published.is_described:
        print(f"{args.checkpoint} has no description: test and infer will need the config")
    return 0
