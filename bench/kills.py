"""Kill a training at random moments, resume it, and compare its weights with those of an uninterrupted run.

    python bench/kills.py --kills 50                 one process
    python bench/kills.py --kills 50 --processes 2   two processes over gloo

Every training is tools/train.py on a small ToyCity, with data loader workers, resumed by `--resume auto`. A third
of the kills happens while a checkpoint is being written. The program prints the outcome of the runs; its exit code is
1 if a run could not be resumed or ended with other weights.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).parents[1]
CONFIG = REPO / "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py"
NUM_ITERS = 24
OPTIONS = [
    "--seed", "0", "--deterministic", "--no-check", "--cfg-options", f"train_cfg.max_iters={NUM_ITERS}",
    "train_cfg.val_interval=8", "train_dataloader.batch_size=2", "train_dataloader.num_workers=2",
    "default_hooks.logger.interval=1", "default_hooks.checkpoint.interval=2", "model.decode_head.dropout_ratio=0.1",
    "model.data_preprocessor.size=(64,128)", "train_dataloader.dataset.pipeline.3.crop_size=(64,128)",
]  # fmt: skip


@dataclass
class Tally:
    """Outcome of the runs."""

    kills: int = 0
    kills_in_save: int = 0
    runs: int = 0
    failed: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


def draw_town(cwd: Path) -> None:
    """Draw and convert `data/toycity` with 8 training images in the folder `cwd`."""
    for program in (
        ["dataset.py", "toycity", "data/toycity", "--train", "8", "--val", "3", "--test", "1", "--size", "256x128"],
        ["convert_datasets/cityscapes.py", "data/toycity"],
    ):
        subprocess.run(
            [sys.executable, REPO / "tools" / program[0], *program[1:]], cwd=cwd, check=True, capture_output=True
        )


def start(cwd: Path, work_dir: str, num_processes: int) -> list[int]:
    """Start a training in forked processes, so that PyTorch is not imported again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pids = []
    for rank in range(num_processes):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        os.setsid()
        os.chdir(cwd)
        log = os.open(f"{work_dir}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["train.py", str(CONFIG), "--work-dir", work_dir, "--resume", "auto", *OPTIONS]
        if num_processes > 1:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(num_processes),
                              MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))  # fmt: skip
            sys.argv += ["--launcher", "pytorch"]
        code = 1
        try:
            runpy.run_path(str(REPO / "tools/train.py"), run_name="__main__")
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    return pids


def kill(pids: list[int]) -> None:
    """Kill processes and their workers immediately, like a power failure."""
    for pid in pids:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # its process group does not exist yet
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)


def run_until(
    cwd: Path, work_dir: str, num_processes: int, deadline_s: float | None, in_save: bool
) -> tuple[str, bool]:
    """Run a training until it ends or is killed.

    Returns:
        `done`, `killed` or `failed`, and whether a checkpoint was being written at the kill.
    """
    leftovers = set((cwd / work_dir).glob(".iter_*.tmp.pth"))  # files of an earlier kill
    pids = start(cwd, work_dir, num_processes)
    began = time.monotonic()
    ended: dict[int, int] = {}
    while len(ended) < len(pids):
        writing = set((cwd / work_dir).glob(".iter_*.tmp.pth")) - leftovers if in_save else None
        too_late = deadline_s is not None and time.monotonic() - began > deadline_s
        if (writing and deadline_s is not None) or too_late:
            kill([pid for pid in pids if pid not in ended])
            return "killed", bool(set((cwd / work_dir).glob(".iter_*.tmp.pth")) - leftovers)
        for pid in set(pids) - set(ended):
            ended_pid, status = os.waitpid(pid, os.WNOHANG)
            if ended_pid:
                ended[pid] = os.waitstatus_to_exitcode(status)
        time.sleep(0.0005 if in_save else 0.01)
    return ("done" if not any(ended.values()) else "failed"), False


def fingerprint(checkpoint: Path) -> str:
    """Hash every tensor of the weights and of the optimizer."""
    from semseg.compat import load_checkpoint_file

    content = load_checkpoint_file(checkpoint, map_location="cpu")
    digest = hashlib.sha256()
    for name, tensor in sorted(content["state_dict"].items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    for index, state in sorted(content["optimizer"]["state"].items()):
        for name, value in sorted(state.items()):
            digest.update(f"{index} {name}".encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def train_with_kills(cwd: Path, num_kills: int, num_processes: int, seed: int = 0) -> Tally:
    """Train once without kills, then with kills until their number is at least `num_kills`.

    Args:
        cwd: folder with `data/toycity`; the runs are written to it.
        num_kills: minimum number of kills.
        num_processes: number of processes of each training.
        seed: random seed of the moments.
    """
    import semseg.plugins  # noqa: F401  imported before the forks

    rng = random.Random(seed)
    tally = Tally()
    began = time.monotonic()
    name = f"alone_{num_processes}"
    assert run_until(cwd, name, num_processes, None, False)[0] == "done", (cwd / f"{name}.log").read_text()[-3000:]
    duration_s = time.monotonic() - began
    expected = fingerprint(cwd / name / f"iter_{NUM_ITERS}.pth")
    while tally.kills < num_kills:
        tally.runs += 1
        name = f"killed_{num_processes}_{tally.runs}"
        for _ in range(rng.randint(1, 4)):
            in_save = rng.random() < 1 / 3
            time_left = duration_s if in_save else rng.uniform(0.1 * duration_s, 0.9 * duration_s)
            if in_save:
                time.sleep(rng.random() * 0.01)
            outcome, was_in_save = run_until(cwd, name, num_processes, time_left, in_save)
            tally.kills += outcome == "killed"
            tally.kills_in_save += was_in_save
            if outcome != "killed":
                break
        else:
            outcome, _ = run_until(cwd, name, num_processes, None, False)
        if outcome == "failed":
            tally.failed.append(name)
        elif fingerprint(cwd / name / f"iter_{NUM_ITERS}.pth") != expected:
            tally.different.append(name)
        else:
            shutil.rmtree(cwd / name)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a converted data/toycity; default: draw one")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(REPO))
    cwd = Path(tempfile.mkdtemp(prefix="kills_"))
    if args.data is None:
        draw_town(cwd)
    else:
        (cwd / "data").mkdir()
        (cwd / "data/toycity").symlink_to(args.data.absolute())
    tally = train_with_kills(cwd, args.kills, args.processes, args.seed)
    print(
        f"{args.processes} process(es): {tally.runs} runs, {tally.kills} kills ({tally.kills_in_save} while a"
        f" checkpoint was being written): {len(tally.failed)} could not be resumed, {len(tally.different)} ended with"
        f" other weights {tally.failed + tally.different or ''}"
    )
    if tally.failed or tally.different:
        print(f"kept: {cwd}")
        return 1
    shutil.rmtree(cwd)
    return 0


if __name__ == "__main__":
    sys.exit(main())
