"""The programs that write files people rely on, each with what has to be true of its folder after a crash or a fault.

`bench/crash_states.py` and `bench/disk_faults.py` run them. Every program writes to one folder, `out` in its working
folder; its data, model and cache are beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import runpy
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.kills import REPO, draw_town

CONFIG = REPO / "configs/toycity/fcn_r18-d8_1xb4-1000_toycity-128x256.py"
OUT = "out"
_SMALL = [
    "--seed", "0", "--deterministic", "--no-check", "--cfg-options", "train_cfg.max_iters=4",
    "train_cfg.val_interval=2", "train_dataloader.batch_size=2", "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False", "val_dataloader.num_workers=0",
    "val_dataloader.persistent_workers=False", "test_dataloader.num_workers=0",
    "test_dataloader.persistent_workers=False", "default_hooks.logger.interval=1",
    "default_hooks.checkpoint.interval=1", "default_hooks.checkpoint.max_keep_ckpts=1",
    "model.backbone.base_channels=8", "model.backbone.stem_channels=8", "model.decode_head.in_channels=32",
    "model.decode_head.channels=8", "model.auxiliary_head.in_channels=16", "model.auxiliary_head.channels=8",
    "model.data_preprocessor.size=(64,128)", "train_dataloader.dataset.pipeline.3.crop_size=(64,128)",
]  # fmt: skip


@dataclass(frozen=True)
class Save:
    """A program that writes files to `out`.

    Attributes:
        name: of what it writes.
        command: the program in `tools/` and its arguments.
        again: arguments that are added when it continues after a crash or a fault.
        setup: commands that run before it, and write to `out`, too.
    """

    name: str
    command: list[str]
    again: tuple[str, ...] = ()
    setup: tuple[list[str], ...] = ()


_BEST = "model/best.pth"
_EXPORT = ["model.py", "export", _BEST, "--size", "64,128"]
_LABELS = ["dataset.py", "export", "label-studio", "predicted/pred", "--images", "photos", "--classes", "cityscapes"]
_TRAIN = ["train.py", str(CONFIG), "--work-dir", OUT, *_SMALL]
_HALVES = ["--fractions", "train=0.5", "val=0.5"]
_SPLIT = ["dataset.py", "split", "data/rosario_labelled", "--group-by", "regex:(.+)", *_HALVES]
SAVES = (
    Save("training", _TRAIN, ("--resume", "auto")),
    Save("infer", ["infer.py", _BEST, "photos", "--out-dir", OUT, "--save", "conf,probs,color"], ("--skip-existing",)),
    Save("pack", ["dataset.py", "pack", str(CONFIG), "--out", OUT, "--nproc", "1"]),
    Save("results", ["test.py", _BEST, "--work-dir", OUT, "--out", f"{OUT}/predictions"]),
    Save("onnx", [*_EXPORT, "--out", f"{OUT}/model.onnx"]),
    Save("torch-export", [*_EXPORT, "--format", "torch-export", "--out", f"{OUT}/model.pt2"]),
    Save("openvino", [*_EXPORT, "--format", "openvino", "--out", f"{OUT}/model.xml"]),
    Save("published", ["model.py", "publish", _BEST, "--out-dir", OUT]),
    Save("ensemble", ["model.py", "ensemble", _BEST, "model/last.pth", "--out", f"{OUT}/both.pth"]),
    Save("convert", ["convert_datasets/cityscapes.py", OUT]),
    Save("labels", [*_LABELS, "--out", OUT]),
    Save("split", [*_SPLIT, "--out", OUT]),
    Save("drawn", ["dataset.py", "toycity", OUT, "--train", "2", "--val", "1", "--test", "1", "--size", "256x128"]),
    Save("report", ["analyze.py", "report", "model", "--out", f"{OUT}/report.html"]),
    Save("explain", ["analyze.py", "explain", _BEST, "photos/a.png", "--out-dir", OUT]),
    Save("curves", ["analyze.py", "curves", "model", "--out", f"{OUT}/curves.png"]),
    Save("list", ["model.py", "list", "toycity", "--csv", f"{OUT}/models.csv"]),
)


def run_tool(command: list[str]) -> None:
    """Run a program of `tools/` in this process; it ends with SystemExit."""
    sys.argv = [str(REPO / "tools" / command[0]), *command[1:]]
    sys.path[0] = str(REPO / "tools")
    runpy.run_path(sys.argv[0], run_name="__main__")


def run_forked(command: list[str], output_path: Path) -> int:
    """Run a program of `tools/` in a forked process, and return its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        output = os.open(output_path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        run_tool(command)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


def open_prepared(cwd: Path) -> None:
    """Work in a folder that `prepare` has filled, and import what the programs import."""
    os.environ["SEMSEG_CACHE"] = str(cwd / "cache")
    import semseg.plugins  # noqa: F401  imported before the forks

    os.chdir(cwd)


def prepare(cwd: Path, saves: Iterable[Save], data: Path | None = None) -> None:
    """Make the data that programs need, and the model if one of them needs it, and import what they import.

    Args:
        cwd: an empty folder; it becomes the working folder.
        saves: the programs.
        data: a folder with a converted `toycity`; default: one is drawn.
    """
    open_prepared(cwd)
    if data is None:
        draw_town(cwd)
    else:
        (cwd / "data").symlink_to(data.absolute())
    if not (cwd / "data/rosario_labelled").exists():
        small = ["--style", "rosario", "--photos", "2", "--labelled", "2"]
        assert run_forked(["dataset.py", "toycity", "data/rosario", *small], cwd / "rosario.log") == 0
    if all(save.name in ("training", "pack", "convert", "split", "drawn", "list") for save in saves):
        return
    code = run_forked(["train.py", str(CONFIG), "--work-dir", "model", *_SMALL], cwd / "train.log")
    assert code == 0, (cwd / "train.log").read_text()[-3000:]
    photos = cwd / "photos"
    photos.mkdir()
    for path in sorted((cwd / "data/toycity/leftImg8bit/val").rglob("*.png")):
        shutil.copyfile(path, photos / path.name)
    shutil.copyfile(path, photos / "a.png")
    code = run_forked(["infer.py", _BEST, "photos", "--out-dir", "predicted"], cwd / "infer.log")
    assert code == 0, (cwd / "infer.log").read_text()[-3000:]
    code = run_forked(["test.py", _BEST, "--work-dir", "model"], cwd / "test.log")
    assert code == 0, (cwd / "test.log").read_text()[-3000:]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose programs and their data."""
    parser.add_argument("--only", nargs="+", choices=[save.name for save in SAVES])
    parser.add_argument("--data", type=Path, help="a folder with a converted toycity; default: draw one")
    parser.add_argument("--cwd", type=Path, help="keep the data and the model of this run here, and use them again")


@contextlib.contextmanager
def prepared(args: argparse.Namespace) -> Generator[tuple[Path, list[Save]]]:
    """Work in a folder with what the chosen programs need, and yield it with them; it is in memory if possible."""
    saves = [save for save in SAVES if not args.only or save.name in args.only]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    in_memory = Path("/dev/shm")
    cwd = args.cwd or Path(tempfile.mkdtemp(prefix="saves_", dir=in_memory if in_memory.is_dir() else None))
    if args.cwd is None or not args.cwd.exists():
        cwd.mkdir(exist_ok=True)
        prepare(cwd, saves, args.data)
    open_prepared(cwd)
    yield cwd, saves
    if args.cwd is None:
        shutil.rmtree(cwd)


def print_faults(title: str, faults: Mapping[str, int]) -> None:
    """Print how many different faults there were, and each with its number."""
    print(f"{title}: {len(faults)} faults", flush=True)
    for text, count in faults.items():
        print(f"    {count} x {text}", flush=True)


def start(save: Save, cwd: Path) -> Path:
    """Make an `out` as it is before the program runs, and return it."""
    out = cwd / OUT
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if save.name == "convert":
        ignored = shutil.ignore_patterns("*_labelTrainIds.png", "*.yaml", "*.txt")
        shutil.copytree(cwd / "data/toycity", out, ignore=ignored, dirs_exist_ok=True)
    for command in save.setup:
        code = run_forked(command, cwd / "setup.log")
        assert code == 0, (cwd / "setup.log").read_text()[-3000:]
    return out
