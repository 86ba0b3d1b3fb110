"""Train a model: `tools/train.py`, `semseg train`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.config.options import RunOptions, add_options, given
from semseg.training import options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(description="Train a segmentation model.")
    parser.add_argument("config", help="config file, such as configs/toycity/*.py")
    add_options(parser, RunOptions)
    parser.add_argument("--seed", type=int, help="random seed; default: a random one, which is logged")
    add_options(parser, *options.ALL)
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    add_debug_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Train a model."""
    args = parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    from semseg import compat
    from semseg.config import load_config
    from semseg.launch.processes import was_restarted
    from semseg.training import for_training
    from semseg.training.resume import RESTARTED
    from semseg.training.run import join_processes, train

    if args.trust_checkpoint:
        compat.trust_checkpoints()
    cfg = load_config(
        args.config,
        args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
        seed=args.seed,
        data=args.data,
        plugins=args.plugins,
    )
    join_processes(cfg)  # one process chooses what to resume and runs the checks; if it fails, all exit
    chosen = {**given(options.ALL, args), "cfg_options": args.cfg_options}
    if was_restarted(cfg.work_dir):
        chosen["resume"] = RESTARTED
    cfg = for_training(cfg, **chosen)
    if args.check:
        from semseg.checks.gate import check_before_run

        check_before_run(cfg, "train")
    train(cfg)
