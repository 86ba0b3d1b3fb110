"""Make training steps, without a data loader; BENCH_CONFIG names the config (default: the demo's)."""

from __future__ import annotations

from pathlib import Path

from bench import Contender
from bench.steps import CONFIG, NUM_STEPS, OURS, STOCK, Steps


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return the steps of CONFIG as `tools/train.py` makes them, and as MMSegmentation does: float32, usual layout."""
    work = (NUM_STEPS, "steps")
    sides = {"ours": Contender(Steps(False, OURS).take, work=work)}
    if stock:
        sides["stock"] = Contender(Steps(True, STOCK).take, work=work)
    return {Path(CONFIG).stem: sides}
