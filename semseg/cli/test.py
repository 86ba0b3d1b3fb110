"""Evaluate a model: `tools/test.py`, `semseg test`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.predictor import local_model
from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.config.options import RunOptions, add_options, given
from semseg.evaluation import options
from semseg.inference.options import is_exported


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(description="Evaluate a segmentation model on its test set.")
    parser.add_argument(
        "config",
        nargs="?",
        help="config file that the model was trained with, or a checkpoint that contains it; not needed if CHECKPOINT"
        " contains it",
    )
    parser.add_argument(
        "checkpoint",
        help="checkpoint file (.pth, .pt, .ckpt, .pth.tar, .safetensors); after CONFIG also an exported one",
    )
    add_options(parser, RunOptions, *options.ALL)
    parser.add_argument("--no-report", action="store_true", help="do not write report.html")
    parser.add_argument("--no-check", action="store_true", help="skip the checks of the data before the test")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    add_debug_flag(parser)
    args = parser.parse_intermixed_args(argv)
    if args.checkpoint.endswith(".py"):
        parser.error("CHECKPOINT is missing: expected [CONFIG] CHECKPOINT")
    if args.config is None and is_exported(args.checkpoint):
        parser.error(
            f"{args.checkpoint} does not contain its config: name that, or the checkpoint that it was exported from,"
            f" as in best.pth {args.checkpoint}"
        )
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate a model."""
    args = parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    with compat.files_read_once():
        _test(args)


def _test(args: argparse.Namespace) -> None:
    from semseg import compat
    from semseg.checkpoints.reading import read_checkpoint
    from semseg.config import load_config
    from semseg.config.from_checkpoint import existing_checkpoint
    from semseg.evaluation import for_testing
    from semseg.inference.exported_test import for_testing_exported
    from semseg.system.atomic import check_folder
    from semseg.training.run import evaluate, join_processes

    for name in ("out_dir", "show_dir", "work_dir"):
        if getattr(args, name) is not None:
            check_folder(Path(getattr(args, name)), name)
    if args.trust_checkpoint:
        compat.trust_checkpoints()
    args.checkpoint = local_model(args.checkpoint)
    exported = is_exported(args.checkpoint)
    # with `data`, pictures are scaled as in the training of the checkpoint
    content = read_checkpoint(existing_checkpoint(args.checkpoint), mmap=True) if args.data and not exported else None
    cfg = load_config(
        args.config or args.checkpoint,
        args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
        data=args.data,
        content=content,
        plugins=args.plugins,
    )
    prepare = for_testing_exported if exported else for_testing
    cfg = prepare(cfg, args.checkpoint, **given(options.ALL, args))
    if not args.no_check:
        from semseg.checks.gate import check_before_run

        join_processes(cfg)  # one process runs the checks; if it fails, all exit
        check_before_run(cfg, "test")
    evaluate(cfg)
    if not args.no_report:
        from mmengine.dist import is_main_process

        from semseg.analysis.report.page import write_report

        results = Path(cfg.work_dir)
        if is_main_process() and (results / "results.json").is_file():
            print(f"report: {write_report(results)}")
