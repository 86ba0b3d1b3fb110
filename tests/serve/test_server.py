"""Start and end of the process, and its connections."""

import argparse
import contextlib
import importlib.util
import io
import signal
import socket
import threading
import time

import pytest
from PIL import Image

from semseg.cli.serve import run_serve
from semseg.serve import server as serving
from semseg.serve.app import Work, make_app
from semseg.serve.options import Limits
from tests.conftest import raises, run
from tests.inference.test_onnx_predictor import write
from tests.serve.conftest import Server, encoded, end, start, wait_for

HEAD = b"POST /api/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 999\r\n\r\n"


@pytest.mark.slow
def test_an_exported_model_is_served_until_ctrl_c(tmp_path):
    process = start(tmp_path, write(tmp_path / "red.onnx"), "--host", "0.0.0.0")
    try:
        server = wait_for(process, tmp_path)
        assert "warning: there is no password: everyone who can reach 0.0.0.0 can use this server" in server.log()
        picture = io.BytesIO()
        Image.new("RGB", (60, 40), (1, 9, 9)).save(picture, "PNG")  # this file says the red as train id
        found = server.post(picture.getvalue(), "/api/segment?mask=none").json
        assert (found["width"], found["height"], found["classes"]) == (60, 40, ["road", "sky"])
        with server.connect() as connection:
            connection.sendall(HEAD)
            while server.ask("GET", "/healthz").json["uploads"] < 1:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130  # and not after the 30 s that the upload may take
        assert server.log().splitlines()[-1] == "stopped"
        assert "Traceback" not in server.log()
    finally:
        end(process)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required"),
        (["a.py"], r"expected [CONFIG] CHECKPOINT, found no checkpoint"),
        (["a.pth", "b.jpg"], "expected [CONFIG] CHECKPOINT, found a.pth b.jpg"),
        (["a.pth", "--port", 0], "no checkpoint a.pth"),
        (["a.pth", "--max-mb", 0], "--max-mb 0.0: expected more than 0"),
        (["a.pth", "--queue", -1], "--queue -1: expected 0 or more"),
        (["a.pth", "--port", 70000], "--port 70000: expected 0 to 65535"),
    ],
)
def test_a_wrong_command_is_one_sentence(tmp_path, arguments, message):
    assert message in run(tmp_path, "serve.py", *arguments, code=2).stderr


def test_without_the_packages_one_sentence_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", {"fastapi": None, "uvicorn": True, "python_multipart": True}.get)
    with pytest.raises(ValueError, match=r"this needs fastapi, which is not installed: pip install -e '.\[serve\]'"):
        run_serve(argparse.Namespace())


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with raises("E-input-address", rf"`port` {port} is in use on 127\.0\.0\.1"):
            serving.bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("no.such.host.invalid", r"`host` no\.such\.host\.invalid: .*127\.0\.0\.1, or 0\.0\.0\.0"),
        ("192.0.2.1", r"`host` 192\.0\.2\.1 `port` 0 .*cannot assign requested address"),
    ],
)
def test_a_host_that_is_not_here_is_one_sentence(host, message):
    with raises("E-input-address", message):
        serving.bind(host, 0)


async def _app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(20_000_000 if scope["path"] == "/large" else 1)})


@contextlib.contextmanager
def in_a_thread(app):
    listener = serving.bind("127.0.0.1", 0)
    listener.listen()
    address = listener.getsockname()
    server = serving.uvicorn.Server(serving.configuration(app))
    thread = threading.Thread(target=server.run, args=[[listener]])
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(monkeypatch):
    """A server with short time limits."""
    monkeypatch.setattr(serving, "_IDLE_S", 0.2)
    monkeypatch.setattr(serving, "_MAX_CONNECTIONS", 3)
    with in_a_thread(_app) as address:
        yield address


class Failing:
    """A model that never succeeds."""

    classes, palette, exif, has_probabilities = ("road",), ((128, 64, 128),), "apply", False
    bits = bands = None

    def __init__(self, error):
        self.error = error

    def predict(self, images, **_):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (KeyError("secret"), 500, "the server failed; its terminal shows where"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 503, "not enough memory for this photo"),
    ],
)
def test_the_error_of_a_failing_model_is_not_sent_to_the_client(capfd, error, status, sentence):
    with in_a_thread(make_app(Work(Failing(error), Limits()), "x.pth")) as address:
        for _ in range(2):
            answer = Server(None, address[1], None).post(encoded(40, 40))
            assert answer.status == status and answer.sentence.startswith(sentence)
    said = capfd.readouterr().err
    assert ("error: KeyError in " in said) == (status == 500)
    assert "secret" not in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (b"", b""),  # nothing
        (b"GET / HTTP/1.1\r\nHost: local", b""),  # half a request
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200 "),  # one, and then nothing
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 200 "),  # refused half-way
    ],
)
def test_an_idle_connection_is_closed(address, sent, begins):
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(sent)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except ConnectionResetError:
            pass
        assert received.startswith(begins) and bool(received) == bool(begins)


@pytest.mark.slow
def test_a_client_that_stops_reading_is_disconnected(address):
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1)
        received = 0
        try:
            while part := connection.recv(1 << 20):
                received += len(part)
        except ConnectionResetError:
            pass
        assert received < 20_000_000


def test_too_many_connections_get_a_sentence(address):
    connections = [socket.create_connection(address, timeout=10) for _ in range(4)]
    received = connections[-1].recv(1000)
    assert received.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 10" in received
    assert b'{"error": "too many connections are open here; try again in 10 s"}' in received
    for connection in connections:
        connection.close()
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
