"""The machines of a run, and the address at which they connect."""

from __future__ import annotations

import os
import socket
import time
import uuid
from dataclasses import dataclass
from typing import Any

from semseg.errors import InvalidInputError

MEET_S = 1800  # how long machines wait for each other


def parse_number(name: str, text: str, minimum: int) -> int:
    """Convert a text to a whole number.

    Args:
        name: of the value, for the message.
        text: to convert.
        minimum: the smallest number that is allowed.

    Raises:
        ValueError: it is not a number, or too small.
    """
    if not text.isdigit() or int(text) < minimum:
        raise InvalidInputError(f"{name}: expected {minimum} or more, got {text!r}", code="E-input-range")
    return int(text)


@dataclass
class Machines:
    """The machines of a run, from the environment variables of the launcher."""

    count: int
    rank: int
    address: str
    port: int

    @classmethod
    def from_environment(cls) -> Machines:
        """Read NNODES, NODE_RANK, MASTER_ADDR and PORT.

        Raises:
            ValueError: a value is not a number, or out of range.
        """
        count = parse_number("NNODES", os.environ.get("NNODES", "1"), 1)
        rank = parse_number("NODE_RANK", os.environ.get("NODE_RANK", "0"), 0)
        if rank >= count:
            raise InvalidInputError(
                f"NODE_RANK: expected 0 to {count - 1} on {count} machines (NNODES), got {rank}", code="E-input-range"
            )
        port = parse_number("PORT", os.environ.get("PORT", "29500"), 1)
        return cls(count, rank, os.environ.get("MASTER_ADDR", "127.0.0.1"), port)

    def find_rendezvous(self, elastic: bool) -> tuple[str, dict[str, Any]]:
        """Return torchrun's rendezvous backend and its settings; `elastic`: lost machines may join again."""
        if self.count == 1:
            return "c10d", dict(endpoint="127.0.0.1:0", run_id=str(uuid.uuid4()), local_addr="127.0.0.1", is_host=True)
        settings = dict(endpoint=f"{self.address}:{self.port}", run_id="semseg")
        if not elastic:
            return "static", dict(settings, rank=self.rank, timeout=MEET_S)
        return "c10d", dict(settings, local_addr=self.find_own_address(), is_host=self.rank == 0, join_timeout=MEET_S)

    def find_own_address(self) -> str:
        """Return the address of this machine in the network of the others."""
        if self.rank == 0:
            return self.address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.address, self.port))  # no data is sent
            return probe.getsockname()[0]

    def wait_for_first(self) -> None:
        """Wait until the first machine answers.

        Raises:
            ConnectionError: it does not answer within MEET_S.
        """
        deadline = time.monotonic() + MEET_S
        answers = self.rank == 0
        while not answers:
            try:
                socket.create_connection((self.address, self.port), timeout=10).close()
                answers = True
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ConnectionError(
                        f"no machine answers at {self.address}:{self.port} ({error.strerror or error}): start the"
                        " machine with NODE_RANK=0, or check MASTER_ADDR and PORT"
                    ) from error
                time.sleep(0.5)
