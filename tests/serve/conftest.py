"""The real program on a real port, with a small model."""

import http.client
import io
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from tests.checkpoints.described import save, small_config
from tests.conftest import REPO
from tests.inference.test_predictor import lively_checkpoint, picture

MAX_MB, MAX_PIXELS, UPLOAD_S = 3, 4_000_000, 1.5
_clients = itertools.count(2)


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def sentence(self):
        """The error message: one line, without anything of Python."""
        assert set(self.json) == {"error"} and self.headers["Content-Type"] == "application/json"
        assert not re.search(r"\n|Traceback|Error\b|/work|\.py", self.json["error"])
        return self.json["error"]


@dataclass
class Server:
    """A process of `tools/serve.py`, and how to reach it."""

    process: subprocess.Popen
    port: int
    folder: Path

    def connect(self, client="127.0.0.1"):
        """Open a connection; the rate limit counts the address that it comes from."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(client, 0))

    def ask(self, method, path, body=None, client=None, **headers):
        """Send a request from its own address, so that each test has its own rate limit."""
        source = client or f"127.0.1.{next(_clients) % 250 + 1}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(source, 0))
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def post(self, body, path="/api/segment", kind="image/jpeg", **headers):
        return self.ask("POST", path, body, content_type=kind, **headers)

    def log(self):
        return (self.folder / "log").read_text()


def start(folder, *arguments, environment=()):
    """Start `tools/serve.py` in a folder; `wait_for` gives the Server."""
    (folder / "tmp").mkdir()
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, str(REPO / "tools/serve.py"), *map(str, arguments), "--port", "0"],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
        )


def wait_for(process, folder):
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"^http://\S+:(\d+) ", (folder / "log").read_text(), re.MULTILINE):
            return Server(process, int(found[1]), folder)
        time.sleep(0.05)
    pytest.fail((folder / "log").read_text())


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="session")
def checkpoint_path(tmp_path_factory):
    return save(tmp_path_factory.mktemp("served") / "best.pth", lively_checkpoint(small_config()))


@pytest.fixture(scope="session")
def server(checkpoint_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    limits = ["--max-mb", MAX_MB, "--max-pixels", MAX_PIXELS, "--upload-timeout", UPLOAD_S, "--queue", 1, "--rate", 30]
    process = start(folder, checkpoint_path, "--precision", "fp32", *limits)
    yield wait_for(process, folder)
    end(process)


def encoded(height, width, kind="JPEG", **options):
    """Return an encoded photograph, as a client sends it."""
    buffer = io.BytesIO()
    Image.fromarray(picture(height, width)).save(buffer, kind, **options)
    return buffer.getvalue()
