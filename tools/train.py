#!/usr/bin/env python
"""Train a model: python tools/train.py CONFIG [--work-dir DIR] [--cfg-options key.path=value ...]"""

import argparse
import os

from semseg.cli import add_debug_flag, run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a segmentation model.")
    parser.add_argument("config", help="config file, such as configs/toycity/*.py")
    parser.add_argument("--work-dir", help="where the run writes; default: work_dirs/<name of the config>")
    parser.add_argument("--data", metavar="FILE", help="a dataset.yaml to train on, not the config's data")
    parser.add_argument("--resume", action="store_true", help="continue the newest checkpoint in the work dir")
    parser.add_argument("--amp", action="store_true", help="mixed precision (float16 on a GPU, bfloat16 on a CPU)")
    parser.add_argument("--seed", type=int, help="seed of all random numbers; default: drawn, and logged")
    parser.add_argument("--no-check", action="store_true", help="go on without a look at the data, or in spite of it")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE",
                        help="override config values, such as train_cfg.max_iters=100")  # fmt: skip
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none",
                        help="set by tools/dist_train.sh")  # fmt: skip
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    add_debug_flag(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    from semseg.config import for_training, load_config
    from semseg.run import join_processes, train

    cfg = load_config(
        args.config,
        args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
        seed=args.seed,
        data=args.data,
    )
    cfg = for_training(cfg, resume=args.resume, amp=args.amp)
    if not args.no_check:
        from semseg.checks.gate import check_before

        join_processes(cfg)  # one checks, all end
        check_before(cfg, "train")
    train(cfg)


if __name__ == "__main__":
    run_tool(main)
