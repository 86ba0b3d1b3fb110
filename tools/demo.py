#!/usr/bin/env python
"""Run the whole line on drawn streets: draw, convert, train, test, infer, report. `make demo` calls it."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag, run_tool

RECIPE = "pspnet_r18-d8_1xb4-1000_toycity-128x256"
CONFIG = f"configs/toycity/{RECIPE}.py"
ROSARIO = "data/rosario_labelled/dataset.yaml"
ROSARIO_WORK_DIR = "work_dirs/demo_rosario"
PANEL_DIR, INFER_DIR = "outputs/demo/rosario_labelled", "outputs/demo/rosario"
REPORT = "outputs/demo/report.html"


def run(*command: str) -> None:
    """Show a command as a person would type it, and run it."""
    print(f"\n$ {shlex.join(command)}", flush=True)
    program = [sys.executable] if command[0] == "python" else [command[0]]
    started = time.monotonic()
    code = subprocess.run([*program, *command[1:]], env={**os.environ, "PYTHON": sys.executable}).returncode
    if code:
        raise SystemExit(code)  # the command has said why
    print(f"({time.monotonic() - started:.0f} s)", flush=True)


def newest(folder: str, pattern: str) -> Path:
    return max(Path(folder).glob(pattern), key=lambda path: path.stat().st_mtime)


def scores(results: Path) -> str:
    found = json.loads((results / "results.json").read_text())["scores"]
    return "   ".join(f"{name} {found[name]['value']:5.2f} %" for name in ("mIoU", "aAcc", "mAcc"))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--cfg-options", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
                        help="for the training, such as train_cfg.max_iters=20")  # fmt: skip
    add_debug_flag(parser)
    args = parser.parse_args()
    os.chdir(Path(__file__).parents[1])
    started = time.monotonic()

    run("python", "tools/dataset.py", "toycity", "data/toycity")
    run("python", "tools/dataset.py", "toycity", "data/rosario", "--style", "rosario")
    run("python", "tools/convert_datasets/cityscapes.py", "data/toycity", "--nproc", str(os.cpu_count()))
    overrides = ["--cfg-options", *args.cfg_options] if args.cfg_options else []
    # a demo that was ended goes on; one that is repeated has its model already
    run("python", "tools/train.py", CONFIG, "--seed", "0", "--resume", "auto", *overrides)
    checkpoint = str(newest(f"work_dirs/{RECIPE}", "best_mIoU_iter_*.pth"))
    run("python", "tools/test.py", CONFIG, checkpoint, "--extras", "all", "--no-report")
    rosario = ("--data", ROSARIO, "--work-dir", ROSARIO_WORK_DIR, "--show-dir", PANEL_DIR, "--no-report")
    run("tools/dist_test.sh", CONFIG, checkpoint, "2", *rosario)
    run("python", "tools/infer.py", CONFIG, checkpoint, "data/rosario", "--out-dir", INFER_DIR)
    known, foreign = (newest(f"{folder}/test", "*/results.json").parent
                      for folder in (f"work_dirs/{RECIPE}", ROSARIO_WORK_DIR))  # fmt: skip
    run("python", "tools/analyze.py", "report", str(known), str(foreign), "--out", REPORT)

    print(f"""
Done in {(time.monotonic() - started) / 60:.1f} minutes.

ToyCity val, streets like those it learnt   {scores(known)}
Rosario, a city that it never saw           {scores(foreign)}

How the predictions improved    {newest(f"work_dirs/{RECIPE}", "*/panels")}
Truth beside prediction         {PANEL_DIR}
Rosario's photographs           {INFER_DIR}/vis (masks: {INFER_DIR}/pred)
Curves                          tensorboard --logdir work_dirs/{RECIPE}
All of it on one page           {REPORT}
The model                       {checkpoint}""")


if __name__ == "__main__":
    run_tool(main)
