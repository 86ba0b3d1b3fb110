"""The floor of a computation: its multiply-accumulates, divided by how many a second this machine makes at best.

The rate is measured with the product of two large matrices, in the same precision and with as many threads: no network
multiplies faster. What else a network does, and what memory costs, is left out, so no program reaches the floor.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench import Floor

_NUM_PRODUCTS = 5
_SIDES = {"cpu": 2048, "cuda": 8192}  # of the matrices
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def device() -> torch.device:
    """Return the device from BENCH_DEVICE, by default the GPU if there is one."""
    return torch.device(os.environ.get("BENCH_DEVICE", "cuda:0" if torch.cuda.is_available() else "cpu"))


def count_macs(work: Callable[[], object]) -> int:
    """Count the multiply-accumulates of convolutions and matrix products; a training step has those of its gradients.

    PyTorch counts two operations for each.
    """
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


def measure(num_macs: int, precision: str) -> Floor:
    """Measure the product and return the floor of `num_macs` in a precision: fp32, tf32, bf16 or fp16."""
    kind = device().type
    side = _SIDES[kind]
    best_s = min(_time_products(side, precision))
    threads = f" on {torch.get_num_threads()} threads" if kind == "cpu" else ""
    reason = (
        f"{num_macs / 1e9:.3g} billion multiply-accumulates, {side**3 / best_s / 1e9:.3g} billion a second: the best of"
        f" {_NUM_PRODUCTS} products of {side}x{side} matrices in {precision}{threads}"
    )
    return Floor(num_macs * best_s / side**3, reason)


def _time_products(side: int, precision: str) -> list[float]:
    factor = torch.randn(side, side, device=device(), dtype=_DTYPES.get(precision, torch.float32))
    allowed_before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    times_s = []
    with torch.no_grad():
        for _ in range(1 + _NUM_PRODUCTS):  # the first one starts libraries
            start_s = time.perf_counter()
            factor @ factor
            if device().type == "cuda":
                torch.cuda.synchronize()
            times_s.append(time.perf_counter() - start_s)
    torch.backends.cuda.matmul.allow_tf32 = allowed_before
    return times_s[1:]


def describe() -> dict[str, str]:
    """Return the name and the memory of the device."""
    if device().type != "cuda":
        return {"device": "CPU"}
    properties = torch.cuda.get_device_properties(device())
    return {"device": properties.name, "GPU memory": f"{properties.total_memory / 2**30:.0f} GiB"}


if __name__ == "__main__":
    print(json.dumps(describe()))
