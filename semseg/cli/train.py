"""Train a model: `tools/train.py`, `semseg train`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.config.options import add_options, names_of
from semseg.training import options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(description="Train a segmentation model.")
    parser.add_argument("config", help="config file, such as configs/toycity/*.py")
    parser.add_argument(
        "--work-dir", help="where the run writes; default: work_dirs/<config>, with --data <config>_<set>"
    )
    parser.add_argument("--data", action="append", metavar="FILE",
                        help="a dataset.yaml to train on, not the config's; given again: one more")  # fmt: skip
    parser.add_argument("--seed", type=int, help="seed of all random numbers; default: drawn, and logged")
    add_options(parser, *options.ALL)
    parser.add_argument("--trust-checkpoint", action="store_true", help="load one even if it carries code")
    parser.add_argument("--cfg-options", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="override config values, such as train_cfg.max_iters=100")  # fmt: skip
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none",
                        help="set by tools/dist_train.sh")  # fmt: skip
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
    )
    join_processes(cfg)  # one decides what to resume, one checks, all end
    known = names_of(*options.ALL)
    asked = {name: value for name, value in vars(args).items() if name in known}
    if was_restarted(cfg.work_dir):
        asked["resume"] = RESTARTED
    cfg = for_training(cfg, **asked)
    if args.check:
        from semseg.checks.gate import check_before_run

        check_before_run(cfg, "train")
    train(cfg)
