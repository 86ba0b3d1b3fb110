"""torchrun's agent, which starts and monitors the processes of one machine, changed so that no work is lost.

It differs from the stock agent in four ways. A signal is passed on only to the processes, not to their data loaders,
and the processes get time to save. Processes that ended on purpose, or would fail again, are not restarted. All
machines count the restarts equally. A machine that hosts the rendezvous may fail and join again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from torch.distributed.elastic.agent.server.api import RunResult, WorkerGroup, WorkerSpec, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.rendezvous.api import RendezvousConnectionError

from semseg.system.stopping import GIVEN_UP

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.api import SubprocessContext

WRONG_INPUT = 2
FINAL = {WRONG_INPUT, GIVEN_UP}  # exit codes of processes that printed what is wrong, and would fail again
ON_PURPOSE = {124, 130, 138, 143}  # exit codes after saving: out of time, Ctrl-C, SIGUSR1, SIGTERM
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
_FAILED_S = 10.0  # time for the other processes when one has failed: one of them may be writing a checkpoint
_SAME_SIGNAL_S = 2.0  # a signal within this time after the first one is the same signal, sent twice
_IMPATIENT_S = 10.0  # time for the processes after a second signal


class Relay:
    """Pass signals on to the running processes. If none runs, a signal ends the launcher itself.

    Args:
        patience_s: how long the processes may take to finish their step and save, in seconds.
    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.processes: dict[int, subprocess.Popen] = {}  # by rank
        self.received = 0
        self.deadline = float("inf")
        self._received_at = 0.0
        self._nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    def stop_listening(self) -> None:
        """Let signals end the launcher: no process runs, and Python handlers are not called while C++ code waits."""
        self._handle(signal.SIG_DFL)

    def listen(self, processes: dict[int, subprocess.Popen]) -> None:
        """Pass signals on to `processes`, which are given by rank."""
        self.processes, self.deadline = processes, float("inf")
        self._handle(self._pass_on)

    def _handle(self, handler: Any) -> None:
        for number in _SIGNALS:
            # unlike torchrun, ignore SIGHUP under nohup
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP and self._nohup else handler)

    def set_deadline(self, seconds: float) -> None:
        """Let the processes be killed after some seconds, unless a deadline is set already."""
        if self.deadline == float("inf"):
            self.deadline = time.monotonic() + seconds

    def exit_codes(self) -> dict[int, int]:
        """Return rank and exit code of the processes that have ended."""
        return {rank: process.returncode for rank, process in self.processes.items() if process.poll() is not None}

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:  # the terminal was closed: let the processes save
            number = signal.SIGTERM
        if len(self.exit_codes()) == len(self.processes):
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if not self.received:
            self.received, self._received_at = number, time.monotonic()
            self.set_deadline(self.patience_s)
        elif time.monotonic() - self._received_at > _SAME_SIGNAL_S:
            self.deadline = min(self.deadline, time.monotonic() + _IMPATIENT_S)
        for process in self.processes.values():
            process.send_signal(number)  # ignored by those that have ended


class Agent(LocalElasticAgent):
    """Start the processes of this machine, monitor them, and restart them when one fails.

    Args:
        spec: what to start, and the rendezvous with the other machines.
        relay: passes on the signals.
        launched: when the run began, in seconds since the epoch.
        num_starts: how often the processes have been started.
    """

    def __init__(self, spec: WorkerSpec, relay: Relay, launched: float, num_starts: int = 0) -> None:
        super().__init__(spec, DefaultLogsSpecs(log_dir=os.devnull))
        self.relay, self.launched, self.num_starts = relay, launched, num_starts
        self._failed = (0, 0)  # rank and exit code
        self._independent = "SEMSEG_INDEPENDENT" in os.environ  # inference: a failed process does not end the others
        self._stock_num_nodes_waiting = spec.rdzv_handler.num_nodes_waiting
        spec.rdzv_handler.num_nodes_waiting = self._num_nodes_waiting

    def _num_nodes_waiting(self) -> int:
        if self.relay.deadline < float("inf"):  # the group is about to end
            return 0
        try:
            return self._stock_num_nodes_waiting()
        except RendezvousConnectionError:  # if the processes need the connection, they will fail
            return 0

    def _rendezvous(self, worker_group: WorkerGroup) -> None:
        self.relay.stop_listening()
        super()._rendezvous(worker_group)

    def _start_workers(self, worker_group: WorkerGroup) -> dict[int, Any]:
        self._agree_on_count(worker_group)
        os.environ["SEMSEG_LAUNCHED"] = str(self.launched)
        pids = super()._start_workers(worker_group)  # also sets torchrun's signal handlers
        # its subclass for commands, not functions, has the handlers
        handlers = cast("SubprocessContext", self._pcontext).subprocess_handlers
        self.relay.listen({worker.global_rank: handlers[worker.local_rank].proc for worker in worker_group.workers})
        self._failed = (0, 0)
        self.num_starts += 1
        return pids

    def _agree_on_count(self, worker_group: WorkerGroup) -> None:
        """Use the highest count of all machines: a machine that has just joined did not count earlier restarts."""
        size, store = worker_group.group_world_size, worker_group.store
        assert size is not None and store is not None  # set by the rendezvous
        if size > 1:
            key = "semseg/starts/{}".format
            store.set(key(worker_group.group_rank), json.dumps([self.num_starts, self.launched]))
            starts, launches = zip(*map(json.loads, store.multi_get([key(i) for i in range(size)])), strict=True)
            self.num_starts, self.launched = max(starts), min(launches)
        # torchrun subtracts it from max_restarts and sets TORCHELASTIC_RESTART_COUNT to the result
        self._remaining_restarts = worker_group.spec.max_restarts - self.num_starts

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        relay = self.relay
        self._find_failed()
        if len(relay.exit_codes()) < len(relay.processes):
            code = self._failed[1]
            if code and self._independent:
                if relay.deadline == float("inf"):
                    return RunResult(WorkerState.HEALTHY)
            elif code:
                relay.set_deadline(0 if code == WRONG_INPUT else relay.patience_s if code in ON_PURPOSE else _FAILED_S)
            if time.monotonic() < relay.deadline < float("inf"):
                return RunResult(WorkerState.HEALTHY)
            if relay.deadline < float("inf") and self._pcontext is not None:
                # not torchrun's SIGTERM, after which a process saves, and that needs all of them
                self._pcontext.close(signal.SIGKILL)
        result = super()._monitor_workers(worker_group)
        if result.is_failed():
            self._find_failed()
            self._decide_on_restart()
        return result

    def _find_failed(self) -> None:
        """Remember the process that failed first. The others end because they lost it, and can be found before it."""
        failed = {rank: code for rank, code in self.relay.exit_codes().items() if code}
        if failed and (self._failed[1] in {0, *ON_PURPOSE} or FINAL & set(failed.values())):
            self._failed = find_cause(failed)

    def _decide_on_restart(self) -> None:
        rank, code = self._failed
        if self.relay.received or code in FINAL or code in ON_PURPOSE:
            self._remaining_restarts = 0
        elif self._remaining_restarts > 0:
            num_machines = self._worker_group.group_world_size or 1
            then = f"restart {self.num_starts} of {self._worker_group.spec.max_restarts}"
            if num_machines > 1:
                then += f" as soon as {num_machines} machines are there"
            print(f"process {rank} ended with exit code {code}: {then}", file=sys.stderr, flush=True)

    def exit_code(self, result: RunResult) -> int:
        """Return the exit code of the launcher, and print an error that the processes did not print."""
        rank, code = self._failed
        if result.state is WorkerState.SUCCEEDED:
            return 0
        if self.relay.received and (code < 0 or code in ON_PURPOSE):
            return 128 + self.relay.received
        if code in FINAL or code in ON_PURPOSE:
            return code
        if self._independent and code == 1:  # images that could not be read: the process has printed which
            return code
        restarts = f" after {self.num_starts - 1} restarts" if self.num_starts > 1 else ""
        print(f"error: process {rank} ended with exit code {code}{restarts}", file=sys.stderr)
        return code if code > 0 else 1  # 1: it was killed


def find_cause(exit_codes: dict[int, int]) -> tuple[int, int]:
    """Return rank and exit code of the process that probably caused the end of its group.

    The order is: a process that printed what is wrong, one that was killed, those that lost it, and last those that
    ended on purpose.
    """
    return min(exit_codes.items(), key=lambda item: (item[1] not in FINAL, item[1] in ON_PURPOSE, item[1] > 0))
