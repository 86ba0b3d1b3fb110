"""Run the complete workflow on drawn streets, in the current folder: draw, convert, train, test, infer, report."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag
from semseg.cli.toycity import ROSARIO_COUNTS, TOYCITY_COUNTS
from semseg.errors import InvalidInputError

RECIPE = "pspnet_r18-d8_2xb4-1000_toycity-128x256"
ROSARIO = "data/rosario_labelled/dataset.yaml"
TEST_WORK_DIR, ROSARIO_WORK_DIR = "work_dirs/demo_test", "work_dirs/demo_rosario"
PANEL_DIR, INFER_DIR = "outputs/demo/rosario_labelled", "outputs/demo/rosario"
REPORT = "outputs/demo/report.html"


_PROGRAMS = {  # used if there is a folder tools/, as in MMSegmentation
    "data": ("python", "tools/dataset.py"),
    "train": ("python", "tools/train.py"),
    "test": ("python", "tools/test.py"),
    "infer": ("python", "tools/infer.py"),
    "report": ("python", "tools/analyze.py", "report"),
}
NUM_PROCESSES = 2  # on two CPUs or more, two of one thread each are faster than one of two threads
_BATCH_OF_BOTH = "train_dataloader.batch_size=8"
_TEST_SPLIT = [
    "test_dataloader.dataset.data_prefix.img_path=leftImg8bit/test",
    "test_dataloader.dataset.data_prefix.seg_map_path=gtFine/test",
]


def run(*words: str) -> None:
    """Print a command as a user would type it, and run it.

    Args:
        words: the arguments of `semseg`, or a program in tools/ and its arguments.
    """
    has_tools = Path("tools/train.py").is_file()
    if words[0] in _PROGRAMS:
        words = (*_PROGRAMS[words[0]], *words[1:]) if has_tools else ("semseg", *words)
    print(f"\n$ {shlex.join(words)}", flush=True)
    programs = {"python": [sys.executable], "semseg": [sys.executable, "-m", "semseg"]}
    started = time.monotonic()
    command = [*programs.get(words[0], words[:1]), *words[1:]]
    code = subprocess.run(command, env={**os.environ, "PYTHON": sys.executable}).returncode
    if code:
        raise SystemExit(code)  # the command has printed the reason
    print(f"({time.monotonic() - started:.0f} s)", flush=True)


def run_with_processes(program: str, files: Sequence[str], options: Sequence[str]) -> None:
    """Run `train` or `test` in NUM_PROCESSES processes."""
    if Path(f"tools/dist_{program}.sh").is_file():
        run(f"tools/dist_{program}.sh", *files, str(NUM_PROCESSES), *options)
    else:
        launch = ("-m", "semseg.launch", str(NUM_PROCESSES), "-m", "semseg")
        run("python", *launch, program, *files, "--launcher", "pytorch", *options)


def newest(folder: str, pattern: str) -> Path:
    """Return the most recently written file in a folder."""
    return max(Path(folder).glob(pattern), key=lambda path: path.stat().st_mtime)


def cfg_options(values: Sequence[str]) -> list[str]:
    """Return the words of a command line that override values of a config."""
    return ["--cfg-options", *values] if values else []


def scores(results: Path) -> str:
    """Format the scores of a test as one line."""
    values = json.loads((results / "results.json").read_text())["scores"]
    return "   ".join(f"{name} {values[name]['value']:5.2f} %" for name in ("mIoU", "aAcc", "mAcc"))


def _counts(defaults: dict[str, int], num_train: int | None) -> list[str]:
    """Return the options for the number of images of each kind, in proportion to `num_train` training images."""
    if num_train is None:
        return []
    if num_train < 1:
        raise InvalidInputError(f"`pictures` is {num_train}; expected 1 or more", code="E-input-range")
    counts = {name: max(1, count * num_train // TOYCITY_COUNTS["train"]) for name, count in defaults.items()}
    return [word for name, count in counts.items() for word in (f"--{name}", str(count))]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    from semseg.system.machine import num_cpus

    parser = ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="override config values of the training, such as train_cfg.max_iters=20",
    )
    parser.add_argument(
        "--pictures",
        type=int,
        metavar="N",
        help=f"draw N training images, and the other splits in proportion (default: {TOYCITY_COUNTS['train']})",
    )
    add_debug_flag(parser)
    args = parser.parse_args(argv)
    config = f"configs/toycity/{RECIPE}.py" if Path("configs").is_dir() else RECIPE
    started = time.monotonic()
    from torch.cuda import is_available

    one_process = is_available() or num_cpus() == 1

    run("data", "toycity", "data/toycity", *_counts(TOYCITY_COUNTS, args.pictures))
    run("data", "toycity", "data/rosario", "--style", "rosario", *_counts(ROSARIO_COUNTS, args.pictures))
    run("data", "convert-cityscapes", "data/toycity", "--nproc", str(num_cpus()))
    # continue an interrupted demo; a finished training is not repeated
    training = ["--seed", "0", "--resume", "auto"]
    if one_process:
        run("train", config, *training, *cfg_options([_BATCH_OF_BOTH, *args.cfg_options]))
    else:
        run_with_processes("train", [config], [*training, *cfg_options(args.cfg_options)])
    checkpoint = str(newest(f"work_dirs/{RECIPE}", "best_mIoU_iter_*.pth"))
    run("test", config, checkpoint, "--extras", "all", "--no-report")
    run("test", config, checkpoint, "--work-dir", TEST_WORK_DIR, "--no-report", *cfg_options(_TEST_SPLIT))
    rosario = ["--data", ROSARIO, "--work-dir", ROSARIO_WORK_DIR, "--show-dir", PANEL_DIR, "--no-report"]
    if one_process:
        run("test", config, checkpoint, *rosario)
    else:
        run_with_processes("test", [config, checkpoint], rosario)
    run("infer", config, checkpoint, "data/rosario", "--out-dir", INFER_DIR)
    toycity_dir, test_dir, rosario_dir = (
        newest(f"{folder}/test", "*/results.json").parent
        for folder in (f"work_dirs/{RECIPE}", TEST_WORK_DIR, ROSARIO_WORK_DIR)
    )
    run("report", str(toycity_dir), str(rosario_dir), "--out", REPORT)

    print(f"""
Done in {(time.monotonic() - started) / 60:.1f} minutes.

ToyCity val, which chose the checkpoint     {scores(toycity_dir)}
ToyCity test, which chose nothing           {scores(test_dir)}
Rosario, a city not in the training set     {scores(rosario_dir)}

Predictions during training     {newest(f"work_dirs/{RECIPE}", "*/panels")}
Truth and prediction            {PANEL_DIR}
Photographs of Rosario          {INFER_DIR}/vis (masks: {INFER_DIR}/pred)
Curves                          tensorboard --logdir work_dirs/{RECIPE}
Report                          {REPORT}
Model                           {checkpoint}""")
