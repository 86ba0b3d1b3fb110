"""Evaluate a model: `tools/test.py`, `semseg test`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(description="Evaluate a segmentation model on its test set.")
    parser.add_argument("config", nargs="?", help="config file that the model was trained with; not needed for a"
                        " checkpoint that describes itself")  # fmt: skip
    parser.add_argument("checkpoint", help="checkpoint file (.pth, .pt, .ckpt, .pth.tar, .safetensors)")
    parser.add_argument("--work-dir", help="where the scores go, under test/; default: work_dirs/<name of the config>")
    parser.add_argument("--data", action="append", metavar="FILE",
                        help="a dataset.yaml to test on, not the config's; given again: one more")  # fmt: skip
    parser.add_argument("--map", metavar="FILE",
                        help="YAML lines 'class of the model: class of the data set, or ignore'")  # fmt: skip
    parser.add_argument("--no-report", action="store_true", help="leave out report.html, the page about the results")
    parser.add_argument("--out", metavar="DIR", help="write the predicted train ids here, as PNG")
    parser.add_argument("--show-dir", metavar="DIR",
                        help="paint every image here: photograph, truth, prediction, error map")  # fmt: skip
    parser.add_argument("--extras", metavar="NAMES", help="count more in the same pass: boundary,trimap,sizes,rows,"
                        "calibration or all")  # fmt: skip
    parser.add_argument("--absent", choices=["zero", "leave-out"], help="a class that is predicted, but not in the"
                        " truth: its IoU counts as 0 (default, as in MMSegmentation), or not at all")  # fmt: skip
    parser.add_argument("--slices", metavar="FILE",
                        help="CSV: a column 'image', and others to slice the scores by (weather, time)")  # fmt: skip
    parser.add_argument("--tta", action="store_true", help="average over scales and flips")
    parser.add_argument("--no-check", action="store_true", help="go on without a look at the data, or in spite of it")
    parser.add_argument("--cfg-options", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="override config values, such as test_dataloader.dataset.data_root=data/x")  # fmt: skip
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none",
                        help="set by tools/dist_test.sh")  # fmt: skip
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--trust-checkpoint", action="store_true", help="load it even if it carries code, and run that")
    add_debug_flag(parser)
    args = parser.parse_intermixed_args(argv)
    if args.checkpoint.endswith(".py"):
        parser.error("CHECKPOINT is missing: expected [CONFIG] CHECKPOINT")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate a model."""
    args = parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    from semseg import compat

    compat.repair()  # before MMSegmentation is imported, which warns
    from semseg.config import load_config
    from semseg.evaluation.testing import for_testing
    from semseg.system.atomic import check_folder
    from semseg.training.run import evaluate, join_processes

    for option in ("out", "show_dir", "work_dir"):
        folder = getattr(args, option)
        if folder is not None:
            check_folder(Path(folder), option)
    if args.trust_checkpoint:
        compat.trust_checkpoints()
    cfg = load_config(
        args.config or args.checkpoint,
        args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
        data=args.data,
    )
    cfg = for_testing(
        cfg,
        args.checkpoint,
        out_dir=args.out,
        show_dir=args.show_dir,
        tta=args.tta,
        map_path=args.map,
        extras=args.extras,
        absent=args.absent,
        slices_path=args.slices,
    )
    if not args.no_check:
        from semseg.checks.gate import check_before

        join_processes(cfg)  # one checks, all end
        check_before(cfg, "test")
    evaluate(cfg)
    if not args.no_report:
        from mmengine.dist import is_main_process

        from semseg.analysis.report.page import write_report

        results = Path(cfg.work_dir)
        if is_main_process() and (results / "results.json").is_file():
            print(f"all of it on one page: {write_report(results)}")
