"""Train a model: `tools/train.py`, `semseg train`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from semseg.cli.program import ArgumentParser, add_debug_flag, duration_s


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(description="Train a segmentation model.")
    parser.add_argument("config", help="config file, such as configs/toycity/*.py")
    parser.add_argument(
        "--work-dir", help="where the run writes; default: work_dirs/<config>, with --data <config>_<set>"
    )
    parser.add_argument("--data", action="append", metavar="FILE",
                        help="a dataset.yaml to train on, not the config's; given again: one more")  # fmt: skip
    parser.add_argument("--resume", nargs="?", const="newest", metavar="CHECKPOINT",
                        help="continue this one, or the newest good one in the work dir; auto: if any")  # fmt: skip
    parser.add_argument("--load-from", metavar="CHECKPOINT",
                        help="start from these weights; other classes keep their rows by name")  # fmt: skip
    parser.add_argument("--freeze", nargs="+", default=[], metavar="PART",
                        help="parts of the model that don't learn, such as backbone or backbone.layer1")  # fmt: skip
    parser.add_argument("--max-time", type=duration_s, metavar="3h", help="save and stop after so long (1h30m, 90s)")
    parser.add_argument("--amp", action="store_true", help="mixed precision (float16 on a GPU, bfloat16 on a CPU)")
    parser.add_argument("--seed", type=int, help="seed of all random numbers; default: drawn, and logged")
    parser.add_argument("--deterministic", action="store_true", help="same seed, same weights, also on a GPU; slower")
    parser.add_argument("--loss", choices=["ce", "ohem", "focal", "dice", "lovasz"],
                        help="of the decode head; dice and lovasz are added to the cross entropy (ce)")  # fmt: skip
    parser.add_argument("--class-weight", metavar="auto[:FORMULA]",
                        help="from the training masks: median-frequency, enet, inverse or sqrt-inverse")  # fmt: skip
    parser.add_argument("--rare-crops", type=float, metavar="SHARE",
                        help="this share of the samples, such as 0.5, is cropped around rare classes")  # fmt: skip
    parser.add_argument("--early-stop", type=int, metavar="PATIENCE",
                        help="stop after so many validations in a row without a new best score")  # fmt: skip
    parser.add_argument("--monitor", metavar="METRIC",
                        help="the score that decides that and the best checkpoint, such as IoU/person")  # fmt: skip
    parser.add_argument("--val-loss", action="store_true",
                        help="also log the cross entropy of the predictions at full size, as val/loss")  # fmt: skip
    parser.add_argument("--ema", nargs="?", type=float, const=0.0002, metavar="MOMENTUM",
                        help="validate and save weights averaged over the last sixteenth of the run")  # fmt: skip
    parser.add_argument("--accumulate", metavar="N",
                        help="batches that make an update; auto: as many as the recipe's batch needs")  # fmt: skip
    parser.add_argument("--no-scale-lr", action="store_true",
                        help="keep the learning rate of the recipe on a batch of another size")  # fmt: skip
    parser.add_argument("--epochs", type=int, metavar="N",
                        help="train so many passes over the training set, whatever the config says")  # fmt: skip
    parser.add_argument("--overfit", type=int, metavar="N",
                        help="only see whether the set-up can learn N images by heart; exit code 1 if not")  # fmt: skip
    parser.add_argument("--no-check", action="store_true", help="go on without a look at data, machine and recipe")
    parser.add_argument("--dry-run", action="store_true", help="check all of that, try one step, and end: 0, or 2")
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
    from semseg.launch.processes import restarted
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
    cfg = for_training(
        cfg,
        resume=RESTARTED if restarted(cfg.work_dir) else args.resume,
        load_from=args.load_from,
        freeze=args.freeze,
        amp=args.amp,
        deterministic=args.deterministic,
        max_time_s=args.max_time,
        loss=args.loss,
        class_weight=args.class_weight,
        rare_crops=args.rare_crops,
        early_stop=args.early_stop,
        monitor=args.monitor,
        val_loss=args.val_loss,
        ema=args.ema,
        overfit=args.overfit,
        epochs=args.epochs,
        options=args.cfg_options,
        accumulate=args.accumulate,
        scale_lr=not args.no_scale_lr,
        check=not args.no_check,
        dry_run=args.dry_run,
    )
    if not args.no_check:
        from semseg.checks.gate import check_before

        check_before(cfg, "train")
    train(cfg)
