"""Run `--help` of our programs and of those of MMSegmentation: whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench import Contender, stock_tools

TOOLS = Path(__file__).parents[1] / "tools"
STOCK_NAMES = {"convert_datasets": "dataset_converters"}  # names of our folders in MMSegmentation


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return one case for each of our programs; with `stock`, only for programs that exist on both sides."""
    cases = {}
    for path in sorted(TOOLS.rglob("*.py")):
        name = path.relative_to(TOOLS)
        sides = {"ours": path}
        if stock:
            sides["stock"] = stock_tools().joinpath(*(STOCK_NAMES.get(part, part) for part in name.parts))
        if all(side.is_file() for side in sides.values()):
            cases[f"{name} --help"] = {
                side: Contender(lambda program=program: _run(program, folder)) for side, program in sides.items()
            }
    return cases


def _run(program: Path, folder: Path) -> float:
    """Run a program's help and return its peak memory in MiB, at least the memory of this process (Linux)."""
    log_path = folder / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen([sys.executable, program, "--help"], stdout=log, stderr=log, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has reaped the process, so Popen need not wait
    if process.returncode:
        raise RuntimeError(f"{program} --help ended with {process.returncode}: {log_path.read_text()[-500:]}")
    return usage.ru_maxrss / 1024
