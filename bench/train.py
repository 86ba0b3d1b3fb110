"""Make training steps, without a data loader; and train, validate and save with the whole programs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from bench import CONFIG, ROOT, Contender, stock_tools
from bench.processes import ENVIRONMENTS, Server, run_module, run_program
from bench.steps import NUM_STEPS

NUM_ITERS = 8


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return the steps of CONFIG as `tools/train.py` makes them, and as MMSegmentation does: float32, usual layout.

    The programs make NUM_ITERS steps, and validate and save once. Their memory is that of the main process.
    """
    configs = run_module("bench.configs", folder, NUM_ITERS)
    steps, programs = {}, {}
    for side in ("ours", "stock") if stock else ("ours",):
        server = Server(ENVIRONMENTS[side], "bench.steps", side)
        steps[side] = Contender(server.run, work=(NUM_STEPS, "steps"), floor=server.floor)
        programs[side] = Contender(*_program(side, configs[side], folder))
    return {f"steps of {CONFIG.stem}": steps, f"train.py, {NUM_ITERS} iterations and a validation": programs}


def _program(side: str, config: str, folder: Path) -> tuple[Callable[[], float], Callable[[], None]]:
    tool = ROOT / "tools/train.py" if side == "ours" else stock_tools() / "train.py"
    command = [tool, config, "--work-dir", folder / f"run of {side}"]
    return lambda: run_program(command, folder), lambda: shutil.rmtree(command[-1], ignore_errors=True)
