"""Train a model: `tools/train.py`, `semseg train`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.config.options import RunOptions, add_options, given
from semseg.errors import InvalidConfigError
from semseg.training import options


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(description="Train a segmentation model.")
    parser.add_argument("config", help="config file, such as configs/toycity/*.py")
    add_options(parser, RunOptions)
    parser.add_argument("--seed", type=int, help="random seed; default: a random one, which is logged")
    add_options(parser, *options.ALL, options.FoldOptions)
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    add_debug_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Train a model."""
    args = parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    folds = options.FoldOptions(**given([options.FoldOptions], args))
    if folds.folds is not None and folds.fold is None:
        _train_folds(args, folds, sys.argv[1:] if argv is None else argv)
        return
    from semseg import compat
    from semseg.config import load_config
    from semseg.launch.processes import was_restarted
    from semseg.training import for_training
    from semseg.training.folds import use_fold
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
    cfg = use_fold(cfg, folds)
    join_processes(cfg)  # one process chooses what to resume and runs the checks; if it fails, all exit
    chosen = {**given(options.ALL, args), "cfg_options": args.cfg_options}
    if was_restarted(cfg.work_dir):
        chosen["resume"] = RESTARTED
    cfg = for_training(cfg, **chosen)
    if args.check:
        from semseg.checks.gate import check_before_run

        check_before_run(cfg, "train")
    train(cfg)


def _train_folds(args: argparse.Namespace, folds: options.FoldOptions, words: Sequence[str]) -> None:
    """Train all folds, each in a process of its own, test them, and print their scores."""
    from semseg import compat

    compat.repair()  # before the import of MMSegmentation, which would print warnings
    from semseg.analysis.cross_validation import cross_validate, table
    from semseg.config import load_config
    from semseg.training.folds import check_folds

    if args.launcher != "none":
        raise InvalidConfigError(
            "`folds` starts its trainings itself; with several processes, train one `fold` at a time",
            code="E-config-conflict",
        )
    for name in ("resume", "overfit", "dry_run"):
        if getattr(args, name):
            raise InvalidConfigError(
                f"`{name}` has no use with `folds`: the command goes on by itself; give `fold` too, or leave it out",
                code="E-config-no-effect",
            )
    cfg = load_config(args.config, args.cfg_options, work_dir=args.work_dir, data=args.data, plugins=args.plugins)
    check_folds(cfg, folds)
    assert folds.folds is not None
    done = cross_validate(cfg, words, folds.folds, folds.out_of_fold, lambda text: print(text, flush=True))
    print("\n".join(table(done)))
