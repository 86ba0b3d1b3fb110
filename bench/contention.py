"""Make training steps alone, and beside another program that keeps one CPU busy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench import Contender
from bench.processes import ENVIRONMENTS, Server
from bench.steps import NUM_STEPS


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return the same steps with the waiting of OpenMP that our programs set, and with its default."""
    work = (NUM_STEPS, "steps")
    sides = ("ours", "stock") if stock else ("ours",)
    servers = {side: Server(ENVIRONMENTS[side], "bench.steps", "ours") for side in sides}

    def beside(server: Server) -> float:
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            return server.run()
        finally:
            busy.kill()
            busy.wait()

    return {
        "alone": {side: Contender(server.run, work=work) for side, server in servers.items()},
        "beside a busy process": {
            side: Contender(lambda server=server: beside(server), work=work) for side, server in servers.items()
        },
    }
