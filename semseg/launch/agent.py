"""torchrun's agent, which watches over the processes of one machine, with endings that lose nothing.

It differs from the stock agent in four ways. A signal is passed on to the processes alone (not to their data
loaders), and they get the time to save. An end on purpose, or one that would come again, is not restarted. All
machines count the restarts alike. And a machine that hosted the meeting point may fall and come back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from torch.distributed.elastic.agent.server.api import RunResult, WorkerGroup, WorkerSpec, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.rendezvous.api import RendezvousConnectionError

from semseg.system.stopping import GIVEN_UP

WRONG_INPUT = 2
FINAL = {WRONG_INPUT, GIVEN_UP}  # the process has said what is wrong: saying it again helps nobody
ON_PURPOSE = {124, 130, 138, 143}  # out of time, Ctrl-C, SIGUSR1, SIGTERM: stopped, and saved
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
_FALLEN_S = 10.0  # what the others get when one has fallen: one may be in the middle of a checkpoint
_AGAIN_S = 2.0  # a second signal within this time is the same one
_IMPATIENT_S = 10.0  # what the processes get after a second signal


class Relay:
    """Pass signals on to the running processes; without any, a signal ends the launcher itself.

    Args:
        patience_s: how long the processes may take to finish their step and save.
    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.processes: dict[int, subprocess.Popen] = {}  # by rank
        self.received = 0
        self.deadline = float("inf")
        self._received_at = 0.0
        self._nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    def rest(self) -> None:
        """Let signals end the launcher: nothing runs, and it may be waiting where Python cannot listen."""
        self._handle(signal.SIG_DFL)

    def listen(self, processes: dict[int, subprocess.Popen]) -> None:
        """Pass signals on to `processes`, which are given by rank."""
        self.processes, self.deadline = processes, float("inf")
        self._handle(self._pass_on)

    def _handle(self, handler: Any) -> None:
        for number in _SIGNALS:
            # torchrun forgets that a terminal may go under nohup
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP and self._nohup else handler)

    def grant(self, seconds: float) -> None:
        """Set the time at which the processes are killed, unless it is set."""
        if self.deadline == float("inf"):
            self.deadline = time.monotonic() + seconds

    def exit_codes(self) -> dict[int, int]:
        """Return rank and exit code of the processes that have ended."""
        return {rank: process.returncode for rank, process in self.processes.items() if process.poll() is not None}

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:  # the terminal is gone: time to save
            number = signal.SIGTERM
        if len(self.exit_codes()) == len(self.processes):
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if not self.received:
            self.received, self._received_at = number, time.monotonic()
            self.grant(self.patience_s)
        elif time.monotonic() - self._received_at > _AGAIN_S:
            self.deadline = min(self.deadline, time.monotonic() + _IMPATIENT_S)
        for process in self.processes.values():
            process.send_signal(number)  # to those that still run


class Agent(LocalElasticAgent):
    """Start the processes of this machine, watch them, restart them when they fall.

    Args:
        spec: what to start, and where to meet the other machines.
        relay: passes on the signals.
        launched: when the run began, in seconds since the epoch.
        num_starts: how often the group has been started.
    """

    def __init__(self, spec: WorkerSpec, relay: Relay, launched: float, num_starts: int = 0) -> None:
        super().__init__(spec, DefaultLogsSpecs(log_dir=os.devnull))
        self.relay, self.launched, self.num_starts = relay, launched, num_starts
        self._fallen = (0, 0)  # rank and exit code
        self._independent = "SEMSEG_INDEPENDENT" in os.environ  # inference: who falls ends no other
        self._ask_waiting = spec.rdzv_handler.num_nodes_waiting
        spec.rdzv_handler.num_nodes_waiting = self._num_nodes_waiting

    def _num_nodes_waiting(self) -> int:
        if self.relay.deadline < float("inf"):  # the group is about to end
            return 0
        try:
            return self._ask_waiting()
        except RendezvousConnectionError:  # the processes will notice, if it matters to them
            return 0

    def _rendezvous(self, worker_group: WorkerGroup) -> None:
        self.relay.rest()
        super()._rendezvous(worker_group)

    def _start_workers(self, worker_group: WorkerGroup) -> dict[int, Any]:
        self._agree_on_count(worker_group)
        os.environ["SEMSEG_LAUNCHED"] = str(self.launched)
        pids = super()._start_workers(worker_group)  # also sets torchrun's signal handlers
        handlers = self._pcontext.subprocess_handlers
        self.relay.listen({worker.global_rank: handlers[worker.local_rank].proc for worker in worker_group.workers})
        self._fallen = (0, 0)
        self.num_starts += 1
        return pids

    def _agree_on_count(self, worker_group: WorkerGroup) -> None:
        """Let all machines count the same: one that is new here has not seen the restarts before it."""
        size, store = worker_group.group_world_size, worker_group.store
        if size > 1:
            key = "semseg/starts/{}".format
            store.set(key(worker_group.group_rank), json.dumps([self.num_starts, self.launched]))
            starts, launches = zip(*map(json.loads, store.multi_get([key(i) for i in range(size)])), strict=True)
            self.num_starts, self.launched = max(starts), min(launches)
        # processes get the difference of these as TORCHELASTIC_RESTART_COUNT
        self._remaining_restarts = worker_group.spec.max_restarts - self.num_starts

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        relay = self.relay
        self._look_for_fallen()
        if len(relay.exit_codes()) < len(relay.processes):
            code = self._fallen[1]
            if code and self._independent:
                if relay.deadline == float("inf"):
                    return RunResult(WorkerState.HEALTHY)
            elif code:
                relay.grant(0 if code == WRONG_INPUT else relay.patience_s if code in ON_PURPOSE else _FALLEN_S)
            if time.monotonic() < relay.deadline < float("inf"):
                return RunResult(WorkerState.HEALTHY)
            if relay.deadline < float("inf"):
                self._pcontext.close(signal.SIGKILL)  # torchrun's SIGTERM asks to save, which takes all of them
        result = super()._monitor_workers(worker_group)
        if result.is_failed():
            self._look_for_fallen()
            self._decide_on_restart()
        return result

    def _look_for_fallen(self) -> None:
        """Remember the process that ended the group: the others end because they have lost it, maybe before it."""
        fallen = {rank: code for rank, code in self.relay.exit_codes().items() if code}
        if fallen and (self._fallen[1] in {0, *ON_PURPOSE} or FINAL & set(fallen.values())):
            self._fallen = worst(fallen)

    def _decide_on_restart(self) -> None:
        rank, code = self._fallen
        if self.relay.received or code in FINAL or code in ON_PURPOSE:
            self._remaining_restarts = 0
        elif self._remaining_restarts > 0:
            then = f"restart {self.num_starts} of {self._worker_group.spec.max_restarts}"
            if self._worker_group.group_world_size > 1:
                then += f" as soon as {self._worker_group.group_world_size} machines are there"
            print(f"process {rank} ended with exit code {code}: {then}", file=sys.stderr, flush=True)

    def exit_code(self, result: RunResult) -> int:
        """Return what the launcher ends with, and say on the screen what the processes have not said."""
        rank, code = self._fallen
        if result.state is WorkerState.SUCCEEDED:
            return 0
        if self.relay.received and (code < 0 or code in ON_PURPOSE):
            return 128 + self.relay.received
        if code in FINAL or code in ON_PURPOSE:
            return code
        if self._independent and code == 1:  # images that could not be read: the process has said which
            return code
        restarts = f" after {self.num_starts - 1} restarts" if self.num_starts > 1 else ""
        print(f"error: process {rank} ended with exit code {code}{restarts}", file=sys.stderr)
        return code if code > 0 else 1  # 1: it was killed


def worst(exit_codes: dict[int, int]) -> tuple[int, int]:
    """Return rank and exit code of the process that tells most about the end of its group.

    One that has said what is wrong tells more than one that was killed, that one more than those that lost it, and
    any fault more than an end on purpose.
    """
    return min(exit_codes.items(), key=lambda item: (item[1] not in FINAL, item[1] in ON_PURPOSE, item[1] > 0))
