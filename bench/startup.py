"""Start programs: `--help` of ours and of MMSegmentation, and tools/train.py until its first iteration."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from bench import CONFIG, ROOT, Contender, stock_tools
from bench.processes import peak_mib, run_module, run_program

TOOLS = ROOT / "tools"
STOCK_NAMES = {"convert_datasets": "dataset_converters"}  # names of our folders in MMSegmentation
BARE = """
import sys
import torch, mmengine
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
cfg = Config.fromfile(sys.argv[1], import_custom_modules=False)
init_default_scope("mmseg")
MODELS.build(cfg.model)
"""
"""What any program does before a training: import the libraries and build the model."""


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return the case of the first iteration, then one for each of our programs.

    "bare" only imports PyTorch and MMEngine, and builds the same model; the time to the first iteration is a multiple
    of it. With `stock`, programs are left out that do not exist on both sides.
    """
    cases = {"train.py, until its first iteration is logged": _first_iteration(stock, folder)}
    for path in sorted(TOOLS.rglob("*.py")):
        name = path.relative_to(TOOLS)
        sides = {"ours": path}
        if stock:
            sides["stock"] = stock_tools().joinpath(*(STOCK_NAMES.get(part, part) for part in name.parts))
        if all(side.is_file() for side in sides.values()):
            cases[f"{name} --help"] = {
                side: Contender(lambda program=program: run_program([program, "--help"], folder))
                for side, program in sides.items()
            }
    return cases


def _first_iteration(stock: bool, folder: Path) -> dict[str, Contender]:
    configs = run_module("bench.configs", folder, 1000)
    tools = {"ours": TOOLS / "train.py"} | ({"stock": stock_tools() / "train.py"} if stock else {})
    sides = {}
    for side, tool in tools.items():
        work_dir = folder / f"run of {side}"
        command = [tool, configs[side], "--work-dir", work_dir]
        sides[side] = Contender(
            lambda command=command: _run_until_first_iteration(command, folder),
            lambda work_dir=work_dir: shutil.rmtree(work_dir, ignore_errors=True),
        )
    return sides | {"bare": Contender(lambda: run_program(["-c", BARE, configs["stock"]], folder))}


def _run_until_first_iteration(command: list, folder: Path) -> float:
    """Run a training of CONFIG until its first iteration is logged; return the peak memory of its main process."""
    log_path = folder / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", *map(str, command)], stdout=subprocess.PIPE, stderr=log, cwd=folder,
            start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            for line in process.stdout:
                if b"Iter(train) [" in line:
                    return peak_mib(process.pid)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # with the workers of its loaders
            process.wait()
    raise RuntimeError(f"{command[0]} made no iteration of {CONFIG.stem}: {log_path.read_text()[-500:]}")
