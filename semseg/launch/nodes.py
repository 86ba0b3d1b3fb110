"""The machines of a run, and where they meet."""

from __future__ import annotations

import os
import socket
import time
import uuid
from dataclasses import dataclass
from typing import Any

from semseg.errors import InvalidInputError

MEET_S = 1800  # machines wait so long for one another


def number(name: str, text: str, least: int) -> int:
    """Return the number that `text` holds.

    Raises:
        ValueError: it holds none, or a smaller one than `least`.
    """
    if not text.isdigit() or int(text) < least:
        raise InvalidInputError(f"{name}: expected {least} or more, got {text!r}")
    return int(text)


@dataclass
class Machines:
    """The machines of a run, as the environment of the launcher names them."""

    count: int
    rank: int
    address: str
    port: int

    @classmethod
    def from_environment(cls) -> Machines:
        """Read NNODES, NODE_RANK, MASTER_ADDR and PORT.

        Raises:
            ValueError: one of the numbers is none, or out of range.
        """
        count = number("NNODES", os.environ.get("NNODES", "1"), 1)
        rank = number("NODE_RANK", os.environ.get("NODE_RANK", "0"), 0)
        if rank >= count:
            raise InvalidInputError(f"NODE_RANK: expected 0 to {count - 1} on {count} machines (NNODES), got {rank}")
        port = number("PORT", os.environ.get("PORT", "29500"), 1)
        return cls(count, rank, os.environ.get("MASTER_ADDR", "127.0.0.1"), port)

    def meeting_point(self, elastic: bool) -> tuple[str, dict[str, Any]]:
        """Return torchrun's rendezvous backend and its settings; `elastic` when machines may come back."""
        if self.count == 1:
            return "c10d", dict(endpoint="127.0.0.1:0", run_id=str(uuid.uuid4()), local_addr="127.0.0.1", is_host=True)
        settings = dict(endpoint=f"{self.address}:{self.port}", run_id="semseg")
        if not elastic:
            return "static", dict(settings, rank=self.rank, timeout=MEET_S)
        return "c10d", dict(settings, local_addr=self.own_address(), is_host=self.rank == 0, join_timeout=MEET_S)

    def own_address(self) -> str:
        """Return the address under which the other machines reach this one."""
        if self.rank == 0:
            return self.address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.address, self.port))  # sends nothing
            return probe.getsockname()[0]

    def wait_for_first(self) -> None:
        """Wait until the first machine answers.

        Raises:
            ConnectionError: it does not.
        """
        give_up = time.monotonic() + MEET_S
        answers = self.rank == 0
        while not answers:
            try:
                socket.create_connection((self.address, self.port), timeout=10).close()
                answers = True
            except OSError as error:
                if time.monotonic() > give_up:
                    raise ConnectionError(
                        f"nobody answers at {self.address}:{self.port} ({error.strerror or error}): start the machine"
                        " with NODE_RANK=0, or check MASTER_ADDR and PORT"
                    ) from error
                time.sleep(0.5)
