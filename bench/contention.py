"""Make training steps alone, and beside another program that keeps one CPU busy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench import Contender
from bench.steps import NUM_STEPS, OURS, STOCK, Steps


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return the same steps with the waiting of OpenMP that our programs set, and with its default."""
    work = (NUM_STEPS, "steps")
    sides = {"ours": Steps(False, OURS)}
    if stock:
        sides["stock"] = Steps(False, STOCK)

    def beside(steps: Steps) -> None:
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            steps.take()
        finally:
            busy.kill()
            busy.wait()

    return {
        "alone": {side: Contender(steps.take, work=work) for side, steps in sides.items()},
        "beside a busy process": {
            side: Contender(lambda steps=steps: beside(steps), work=work) for side, steps in sides.items()
        },
    }
