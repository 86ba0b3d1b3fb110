"""Start one process per GPU, or CPU processes where there is none: torchrun with plain endings.

    python -m semseg.launch NPROC SCRIPT [ARGS…]

NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment join several machines; on one machine a free
port is chosen. The exit code is that of the first process that failed; Ctrl-C ends all of them.
"""

from __future__ import annotations

import logging
import os
import sys

from semseg.cli import run_tool


def main() -> int:
    """Run SCRIPT in NPROC processes and return the exit code.

    Raises:
        ValueError: NPROC is no positive number, or more than the GPUs of this machine.
    """
    num_processes, *script = sys.argv[1:]
    if not num_processes.isdigit() or int(num_processes) < 1:
        raise ValueError(f"number of GPUs: expected 1 or more, got {num_processes!r}")
    logging.disable(logging.ERROR)  # torchrun's own account of a failure; ours is one line
    import torch
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    num_gpus = torch.cuda.device_count()
    if 0 < num_gpus < int(num_processes):
        raise ValueError(f"{num_processes} GPUs asked for, {num_gpus} visible; ask for {num_gpus} or fewer")
    if num_gpus == 0:  # share the cores, instead of one thread each
        threads = str(max(1, (os.cpu_count() or 1) // int(num_processes)))
        os.environ.setdefault("OMP_NUM_THREADS", threads)
        os.environ.setdefault("MKL_NUM_THREADS", threads)
    num_nodes = os.environ.get("NNODES", "1")
    if num_nodes == "1" and "PORT" not in os.environ:
        meeting_point = ["--standalone"]
    else:
        meeting_point = [
            f"--nnodes={num_nodes}",
            f"--node_rank={os.environ.get('NODE_RANK', '0')}",
            f"--master_addr={os.environ.get('MASTER_ADDR', '127.0.0.1')}",
            f"--master_port={os.environ.get('PORT', '29500')}",
        ]
    try:
        torchrun([*meeting_point, f"--nproc_per_node={num_processes}", *script])
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode != 2:  # 2: the process has said what is wrong with its input
            print(f"error: process {rank} ended with exit code {failure.exitcode}", file=sys.stderr)
        return failure.exitcode if failure.exitcode > 0 else 1
    except SignalException as error:
        return 128 + error.sigval
    return 0


if __name__ == "__main__":
    run_tool(main)
