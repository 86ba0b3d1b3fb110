"""Start one process per GPU, or CPU processes if there is no GPU, with torchrun's agent.

    python -m semseg.launch NPROC SCRIPT [ARGS…] [--max-restarts N]

The environment variables NNODES, NODE_RANK, MASTER_ADDR and PORT connect several machines; on one machine a free port
is chosen. With `--max-restarts`, if a process fails, all processes on all machines are started again, up to N times; a
machine that was lost can join again with the same command. Signals are passed on to the processes, which get
TORCH_ELASTIC_SHUTDOWN_TIMEOUT seconds (600) to save.

The exit code is 128 + the number of the signal that ended the run, else that of the process that failed first.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from semseg.errors import InvalidInputError
from semseg.launch.nodes import MEET_S, Machines, parse_number
from semseg.system.child_process import bound_arguments
from semseg.system.machine import num_cpus

_CLOCK_SKEW_S = 60  # maximum difference to the clock of a file server


def was_restarted(work_dir: str | Path) -> bool:
    """Return whether the launcher has restarted this process, and the run has saved a checkpoint before.

    Checkpoints from before the launch are ignored: they belong to another run.
    """
    since = float(os.environ.get("SEMSEG_LAUNCHED", "inf")) - _CLOCK_SKEW_S
    count = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    return count > 0 and any(path.stat().st_mtime > since for path in Path(work_dir).glob("[!.]*.pth"))


def main() -> int:
    """Run SCRIPT in NPROC processes and return the exit code.

    Raises:
        ValueError: a value is not a number, or NPROC is larger than the number of GPUs of this machine.
        ConnectionError: the machines cannot connect.
    """
    max_restarts, (nproc, *script) = take_max_restarts(sys.argv[1:])
    num_processes = parse_number("number of GPUs", nproc, 1)
    machines = Machines.from_environment()
    log_level = os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # otherwise a lost connection prints a page
    import torch

    if log_level == "FATAL":  # for this process only
        del os.environ["TORCH_CPP_LOG_LEVEL"]
    num_gpus = torch.cuda.device_count()
    if 0 < num_gpus < num_processes:
        raise InvalidInputError(
            f"{num_processes} GPUs asked for, {num_gpus} visible; ask for {num_gpus} or fewer", code="E-input-gpus"
        )
    if num_gpus == 0:  # share the cores among the processes: torchrun would set one thread each
        threads = str(max(1, num_cpus() // num_processes))
        os.environ.setdefault("OMP_NUM_THREADS", threads)
        os.environ.setdefault("MKL_NUM_THREADS", threads)
    return _launch(machines, num_processes, script, max_restarts)


def take_max_restarts(arguments: Sequence[str]) -> tuple[int, list[str]]:
    """Separate `--max-restarts N`, at any position, from the other arguments.

    Returns:
        N, and the other arguments.

    Raises:
        ValueError: N is not a number.
    """
    max_restarts, others, rest = "0", [], iter(arguments)
    for argument in rest:
        if argument == "--max-restarts":
            max_restarts = next(rest, "")
        elif argument.startswith("--max-restarts="):
            max_restarts = argument.partition("=")[2]
        else:
            others.append(argument)
    return parse_number("--max-restarts", max_restarts, 0), others


def _launch(machines: Machines, num_processes: int, script: list[str], max_restarts: int) -> int:
    import logging

    from torch.distributed import DistError
    from torch.distributed.elastic.agent.server.api import WorkerSpec
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.rendezvous import RendezvousParameters, api
    from torch.distributed.elastic.rendezvous.registry import get_rendezvous_handler

    from semseg.launch.agent import Agent, Relay

    logging.disable(logging.ERROR)  # torchrun's long report of a failure; Agent prints one line instead
    relay = Relay(float(os.environ.get("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "600")))
    relay.stop_listening()
    backend, settings = machines.find_rendezvous(elastic=max_restarts > 0)
    if max_restarts:  # torchrun's shared store keeps data of failed processes, and new machines do not get its address
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    place = f"{machines.count} machines at {machines.address}:{machines.port}"
    launched = time.time()
    agent: Agent | None = None
    while True:
        if machines.count > 1:
            print(f"meeting {place}", file=sys.stderr, flush=True)
        try:
            machines.wait_for_first()
            handler = get_rendezvous_handler(
                RendezvousParameters(backend, min_nodes=machines.count, max_nodes=machines.count, **settings)
            )
            spec = WorkerSpec(
                role="process",
                local_world_size=num_processes,
                entrypoint=sys.executable,
                args=tuple(bound_arguments(script)),
                rdzv_handler=handler,
                max_restarts=max_restarts,
                master_addr=machines.address if backend == "static" else None,
                master_port=machines.port if backend == "static" else None,
            )
            agent = Agent(spec, relay, launched, agent.num_starts if agent else 0)
            result = agent.run()
            handler.shutdown()
            if result is None:  # this machine joined late and was never needed
                raise api.RendezvousClosedError
            return agent.exit_code(result)
        except SignalException as error:  # while the processes were being started
            return 128 + error.sigval
        except api.RendezvousTimeoutError as error:
            raise ConnectionError(f"could not connect {place} within {MEET_S // 60} minutes") from error
        except api.RendezvousClosedError as error:
            raise ConnectionError("another machine has ended the run") from error
        except (api.RendezvousConnectionError, DistError) as error:
            reason = str(error.__cause__ or error)
            if "EADDRINUSE" in reason:
                raise ConnectionError(
                    f"port {machines.port} of {machines.address} is taken: set another PORT on all machines"
                ) from error
            if machines.rank == 0 or backend == "static":
                raise ConnectionError(f"could not connect {place}: {reason.splitlines()[0]}") from error
            time.sleep(1)  # the first machine has failed: wait until it is back
