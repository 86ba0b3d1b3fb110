"""Keep tools/serve.py under hostile load, and watch its memory, threads, open files and answers.

    python bench/serve_load.py CHECKPOINT --minutes 10

Clients of many addresses of this machine send good photographs, damaged ones, decompression bombs, endless and slow
uploads, requests that are no HTTP, and connections that do nothing; one address exceeds its rate. The program prints
what they got, and the memory of the server over time. Its exit code is 1 if the server failed (a status of 500, a
traceback, no answer at the end, another mask than at the beginning), or if a limit did not hold.
"""

from __future__ import annotations

import argparse
import collections
import http.client
import io
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

REPO = Path(__file__).parents[1]
_MAX_MB, _UPLOAD_S, _RATE = 3, 5, 30
_NUM_CLIENTS = 3  # of each kind
_POLL_S = 5.0

Tally = collections.Counter[tuple[str, str]]


class Load:
    """The clients, and what they got.

    Attributes:
        port: of the server.
        tally: number of answers by kind of client and status; `closed`: the server ended the connection.
        other_masks: number of good photographs whose mask was not that of the first answer.
        slowest_s: of the answers to GET /healthz.
    """

    def __init__(self, port: int, photograph: bytes) -> None:
        self.port, self._photograph = port, photograph
        self.tally: Tally = collections.Counter()
        self.other_masks, self.slowest_s = 0, 0.0
        self._mask: bytes | None = None
        self._ends_s = 0.0

    def ask(self, address: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request and return status and content of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120, source_address=(address, 0))
        try:
            connection.request(method, path, body, {"Content-Type": "image/jpeg"} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def check_mask(self, address: str = "127.0.0.2") -> int:
        """Send the good photograph and compare the mask with the first one; return the status."""
        status, content = self.ask(address, "POST", "/api/segment?mask=png", self._photograph)
        if status == 200:
            self._mask = self._mask or content
            self.other_masks += content != self._mask
        return status

    def run(self, seconds: float) -> None:
        """Run all clients for a time."""
        bomb = _bomb()
        self._ends_s = time.monotonic() + seconds
        kinds: dict[str, Callable[[str], int | str]] = {
            "good": self.check_mask,
            "damaged": lambda address: self._post(address, self._photograph[: len(self._photograph) // 2]),
            "no picture": lambda address: self._post(address, os.urandom(5000)),
            "bomb": lambda address: self._post(address, bomb),
            "too large": lambda address: self._post(address, bytes(_MAX_MB * 1_000_000 + 1)),
            "endless": self._endless,
            "slow": self._slow,
            "cut": self._cut,
            "idle": self._idle,
            "no HTTP": self._no_http,
            "health": self._health,
            "one address": lambda _: self._post("127.0.0.3", b"x"),
        }
        threads = []
        for number, (kind, client) in enumerate(kinds.items()):
            for copy in range(1 if kind == "one address" else _NUM_CLIENTS):
                arguments = kind, client, 50 + number * _NUM_CLIENTS + copy
                threads.append(threading.Thread(target=self._repeat, args=arguments, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _repeat(self, kind: str, client: Callable[[str], int | str], number: int) -> None:
        turn = 0
        while time.monotonic() < self._ends_s:
            turn += 1
            address = f"127.{turn % 200 + 1}.{number}.1"  # each turn, so that the rate limit is not the first to refuse
            try:
                outcome = str(client(address))
            except (OSError, http.client.HTTPException):
                outcome = "closed"
            self.tally[kind, outcome] += 1
            time.sleep(0.05)

    def _post(self, address: str, body: bytes) -> int:
        return self.ask(address, "POST", "/api/segment", body)[0]

    def _health(self, address: str) -> int:
        start = time.monotonic()
        status, _ = self.ask(address, "GET", "/healthz")
        self.slowest_s = max(self.slowest_s, time.monotonic() - start)
        return status

    def _open(self, address: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60, source_address=(address, 0))

    def _endless(self, address: str) -> str:
        with self._open(address) as connection:
            connection.sendall(_head("Transfer-Encoding: chunked"))
            for _ in range(2 * _MAX_MB * 10):
                connection.sendall(b"186a0\r\n" + bytes(100_000) + b"\r\n")
            return _status(connection)

    def _slow(self, address: str) -> str:
        with self._open(address) as connection:
            connection.sendall(_head("Content-Length: 1000"))
            for _ in range(2 * _UPLOAD_S):
                connection.sendall(b"x")
                time.sleep(0.7)
            return _status(connection)

    def _cut(self, address: str) -> str:
        with self._open(address) as connection:
            connection.sendall(_head("Content-Length: 100000") + bytes(50_000))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset at the close
        return "reset"

    def _idle(self, address: str) -> str:
        with self._open(address) as connection:
            return _status(connection)

    def _no_http(self, address: str) -> str:
        with self._open(address) as connection:
            connection.sendall(os.urandom(200) + b"\r\n\r\n")
            return _status(connection)


def _head(field: str) -> bytes:
    return f"POST /api/segment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n{field}\r\n\r\n".encode()


def _status(connection: socket.socket) -> str:
    found = re.match(rb"HTTP/1.1 (\d+)", connection.recv(4096))
    return found[1].decode() if found else "closed"


def _bomb() -> bytes:
    """Return a black PNG of 12,000 x 12,000 pixels, 432 MB when it is decoded."""
    buffer = io.BytesIO()
    Image.new("RGB", (12_000, 12_000)).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def _photograph() -> bytes:
    values = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).resize((240, 160)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _watch(pid: int, rows: list[tuple[float, int, int, int]], is_over: threading.Event) -> None:
    """Append time, memory in bytes, threads and open files of a process every few seconds."""
    start = time.monotonic()
    while not is_over.wait(_POLL_S):
        fields = dict(
            line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
        num_files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        rows.append(
            (time.monotonic() - start, int(fields["VmRSS"].split()[0]) << 10, int(fields["Threads"]), num_files)
        )


def _start(checkpoint: Path, folder: Path) -> tuple[subprocess.Popen, int]:
    limits = ["--max-mb", _MAX_MB, "--upload-timeout", _UPLOAD_S, "--queue", 4, "--rate", _RATE, "--port", 0]
    log = folder / "log"
    with log.open("w") as file:
        command = [sys.executable, REPO / "tools/serve.py", checkpoint.absolute(), *limits]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        server = subprocess.Popen([*map(str, command)], cwd=folder, stdout=file, stderr=file, env=environment)
    while server.poll() is None:
        if found := re.search(r"^http://\S+:(\d+) ", log.read_text(), re.MULTILINE):
            return server, int(found[1])
        time.sleep(0.1)
    raise SystemExit(log.read_text())


def main() -> int:
    """Run the load; return 1 if the server failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="model of the server")
    parser.add_argument("--minutes", type=float, default=10, help="default: 10")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        server, port = _start(arguments.checkpoint, Path(text))
        rows: list[tuple[float, int, int, int]] = []
        is_over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(server.pid, rows, is_over), daemon=True)
        try:
            load = Load(port, _photograph())
            load.check_mask()
            watcher.start()
            load.run(60 * arguments.minutes)
            time.sleep(15)  # idle connections are closed after 10 s, uploads after 5 s
            last_status = load.check_mask()
            is_over.set()
            watcher.join()
        finally:
            server.kill()
            server.wait()
        return _report(load, rows, last_status, (Path(text) / "log").read_text(), arguments.minutes)


def _report(load: Load, rows: list[tuple[float, int, int, int]], last_status: int, log: str, minutes: float) -> int:
    for (kind, outcome), count in sorted(load.tally.items()):
        print(f"{kind:12} {outcome:>6} {count:7}")
    for passed_s, num_bytes, num_threads, num_files in rows[:: max(1, len(rows) // 12)] + rows[-1:]:
        print(f"{passed_s:6.0f} s  {num_bytes / 2**20:6.0f} MiB  {num_threads:3} threads  {num_files:3} files")
    print(f"slowest answer to GET /healthz: {load.slowest_s:.2f} s")
    accepted = sum(count for (kind, status), count in load.tally.items() if kind == "one address" and status != "429")
    faults = [
        f"status {status} for {kind}" for kind, status in load.tally if status.startswith("5") and status != "503"
    ]
    if "Traceback" in log or "error:" in log:
        faults.append("the log has errors:\n" + log[-2000:])
    if last_status != 200:
        faults.append(f"status {last_status} for a good photograph after the load")
    if load.other_masks:
        faults.append(f"{load.other_masks} masks differ from the first one")
    if accepted > _RATE * (minutes + 1):
        faults.append(f"{accepted} uploads of one address in {minutes:g} minutes, and {_RATE} a minute are allowed")
    print("\n".join(["faults:", *faults]) if faults else "no faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
