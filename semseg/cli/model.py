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
            "kept a moving average of the weights (EMA), the average is written. A model card, README.md, is written "
            "beside them; an existing README.md is kept."
        ),
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help=".pth, .pt, .ckpt, .pth.tar or .safetensors"
    )
    parser.add_argument("--out-dir", type=Path, metavar="DIR", help="output folder (default: that of the checkpoint)")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="results of a test, for the scores in the card (default: the newest test of these weights in the "
        "folder of the checkpoint or below work_dirs/, one without --tta if there is one; else the scores of the "
        "validation)",
    )
    parser.add_argument(
        "--license", metavar="ID", help="of the weights, such as apache-2.0; default: a line to fill in"
    )
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
    from semseg.config.from_checkpoint import existing_checkpoint

    _trust(args)
    path = existing_checkpoint(args.checkpoint)
    print(as_json(path) if args.json else "\n".join(summarize(path)))
    return 0


def _run_publish(args: argparse.Namespace) -> int:
    from semseg import compat

    _trust(args)
    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.analysis import model_card
    from semseg.analysis.checkpoint_tests import CheckpointTests
    from semseg.checkpoints.publish import publish
    from semseg.checkpoints.reading import read_checkpoint
    from semseg.config.from_checkpoint import existing_checkpoint
    from semseg.system.atomic import atomic_path

    content = read_checkpoint(existing_checkpoint(args.checkpoint), mmap=True)
    tests = CheckpointTests(content)
    folder = args.results or tests.find_results(args.checkpoint)
    scores = None if folder is None else tests.read_scores(folder)
    published = publish(args.checkpoint, args.out_dir, content)
    for path in published.paths:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    weights_path = published.paths[1]
    card = model_card.model_card(content, args.checkpoint, weights_path.name, scores, args.license)
    card_path = weights_path.with_name(model_card.CARD)
    if card_path.exists() and card_path.read_text() != card:  # a person may have edited it
        card_path = weights_path.with_suffix(".md")
    with atomic_path(card_path) as temporary:
        temporary.write_text(card)
    source = (
        "of the validation in the training; --results DIR takes those of a test" if scores is None else f"of {folder}"
    )
    print(f"{card_path}: model card, with the scores {source}")
    if args.license is None:
        print(f"fill in the licence of the weights in {card_path.name}, or give it with --license")
    if published.is_averaged:
        print("the weights are the moving average (EMA), which validation used")
    if not published.is_described:
        print(f"{args.checkpoint} has no description: test and infer will need the config")
    return 0
