"""Make training steps in 1, 2 and 4 processes: their time with and without the sum of the gradients, and its bytes.

The processes are started by the project's launcher, and share the CPUs or GPUs of this machine. Each has the batch of
BENCH_CONFIG, and always as many threads as it has with the most processes.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path

from bench import CONFIG, Table
from bench.processes import run_module
from semseg.system.machine import num_cpus

NUMBERS = (1, 2, 4)
NUM_ROUNDS = 5


def table(stock: bool, folder: Path) -> Table:
    """Measure each number of processes, one after the other."""
    if stock:
        raise ValueError("--against has no effect on ddp: MMSegmentation's processes sum gradients in the same way")
    import torch

    most = torch.cuda.device_count() or max(NUMBERS)
    rows = [run_module("semseg.launch", number, "-m", "bench.ddp") for number in NUMBERS if number <= most]
    alone_s = rows[0]["s a step"]
    for row in rows:
        row["images/s"] = row["processes"] * row["batch"] / row["s a step"]
        row["of linear"] = f"{100 * row['images/s'] / (row['processes'] * rows[0]['batch'] / alone_s):.0f} %"
    note = (
        f"{CONFIG.stem}; medians of {NUM_ROUNDS} rounds, in which steps with the sum, steps without it, and a sum alone"
        f" take turns; {num_cpus()} CPUs for all processes, {_num_threads()} thread(s) in each"
    )
    return Table(rows, [note])


def _num_threads() -> int:
    return max(1, num_cpus() // max(NUMBERS))


def main() -> None:
    """Measure in one of the processes; the first one prints the row of the table."""
    import torch
    from mmengine.model import MMDistributedDataParallel
    from torch import distributed

    from bench import floor, steps
    from semseg import compat

    if torch.cuda.is_available():
        os.environ["BENCH_DEVICE"] = f"cuda:{os.environ['LOCAL_RANK']}"
    device = floor.device()
    torch.set_num_threads(_num_threads())
    if device.type == "cuda":
        torch.cuda.set_device(device)
        distributed.init_process_group("nccl")
    else:
        compat.init_cpu_process_group()
    training = steps.build({"ours"})
    ids = [device.index] if device.type == "cuda" else None
    wrapped = MMDistributedDataParallel(training.model, device_ids=ids, broadcast_buffers=False)
    gradients = [weight for weight in training.model.parameters() if weight.requires_grad]
    num_values = sum(weight.numel() for weight in gradients)
    buffer = torch.zeros(num_values, device=device)
    training = training._replace(model=wrapped)

    def step_without_sum() -> None:
        with wrapped.no_sync():
            training.step()

    works = {"with": training.step, "without": step_without_sum, "alone": lambda: distributed.all_reduce(buffer)}
    times_s = {name: [] for name in works}
    for number in range(1 + NUM_ROUNDS):  # the first one warms up
        for name, work in works.items():
            distributed.barrier()
            start_s = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number:
                times_s[name].append(time.perf_counter() - start_s)
    size = distributed.get_world_size()
    if distributed.get_rank() == 0:
        medians = {name: statistics.median(values) for name, values in times_s.items()}
        row = {
            "processes": size,
            "batch": len(training.batch["inputs"]),
            "s a step": medians["with"],
            "s without the sum": medians["without"],
            "s of an all-reduce": medians["alone"],
            "MB of gradients": 4 * num_values / 1e6,
            "MB sent by each": 2 * (size - 1) / size * 4 * num_values / 1e6,
        }
        print(json.dumps(row), flush=True)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
