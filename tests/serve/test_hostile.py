"""Hostile and damaged requests: each gets a response of one sentence, and the server continues."""

import io
import os
import resource
import struct
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.serve.conftest import MAX_MB, UPLOAD_S, encoded

pytestmark = pytest.mark.slow

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/owned) (w) file closefile\nshowpage\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/><script>alert(1)</script></svg>'


def png_of(width, height, pixels=b""):
    """A PNG that says which size it has."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", pixels), (b"IEND", b"")]
    parts = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def zeros(side):
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(side // 8 + 1)) for _ in range(side)), packer.flush()])


def many_scans():
    ordinary = encoded(64, 64, progressive=True)
    last = ordinary[ordinary.rindex(b"\xff\xda") : -2]
    return ordinary[:-2] + 200 * last + ordinary[-2:]


def large_tile():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((9, 9), np.uint8), tile=(4096, 4096), compression="zlib")
    return buffer.getvalue()


HOSTILE = {
    "nothing": (b"", 400, "the upload is empty"),
    "cut off": (encoded(64, 64)[:900], 400, "the photograph cannot be read: not a readable image"),
    "noise": (os.urandom(5000), 415, "expected JPEG, PNG"),
    "PostScript": (POSTSCRIPT, 415, "the upload is not a readable photograph"),
    "PDF": (b"%PDF-1.7\n1 0 obj\n", 415, "expected JPEG, PNG"),
    "SVG": (SVG, 415, "expected JPEG, PNG"),
    "HTML": (b"<!DOCTYPE html><script>alert(1)</script>", 415, "expected JPEG, PNG"),
    "ZIP": (b"PK\x03\x04" + bytes(100), 415, "expected JPEG, PNG"),
    "a path": (b"/etc/passwd", 415, "expected JPEG, PNG"),
    "an address": (b"http://169.254.169.254/latest/meta-data", 415, "expected JPEG, PNG"),
    "a PNG of 100,000 x 100,000": (png_of(100_000, 100_000, b"x"), 413, "has more than 4 million pixels, the limit"),
    "20,000 x 20,000 zeros": (png_of(20_000, 20_000, zeros(20_000)), 413, "more than 4 million pixels"),
    "a TIFF with a tile far larger than its picture": (large_tile(), 413, "more than 4 million pixels"),
    "200 scans": (many_scans(), 400, "more than 100 scans"),
    "too many bytes": (bytes(MAX_MB * 1_000_000 + 1), 413, "larger than 3 MB, the limit here"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_upload_gets_a_sentence(server, name):
    upload, status, sentence = HOSTILE[name]
    answer = server.post(upload)
    assert (answer.status, sentence in answer.sentence) == (status, True), answer


@pytest.mark.parametrize(
    ("kind", "body", "status", "sentence"),
    [
        ("text/plain", b"x", 415, "expected a photograph"),
        ("application/json", b"{}", 415, "multipart/form-data"),
        ("", b"x", 415, "expected a photograph"),
        ("multipart/form-data", b"x", 400, "the form is damaged"),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x", 400, "the form is damaged"),
        ("multipart/form-data; boundary=b", b"no form", 400, "the form is damaged"),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 400, "the form has no field; expected one"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n", 400, "has several fields"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"a: b\r\n" * 99 + b"\r\nx\r\n--b--\r\n", 400, "damaged"),
        ("multipart/form-data; boundary=b", b"--b\r\na: " + b"b" * 99999 + b"\r\n\r\nx\r\n--b--", 400, "damaged"),
    ],
)
def test_other_contents_and_damaged_forms_get_a_sentence(server, kind, body, status, sentence):
    answer = server.post(body, kind=kind)
    assert (answer.status, sentence in answer.sentence) == (status, True), answer


def test_the_name_of_a_file_is_ignored_and_nothing_is_written(server):
    photograph = encoded(900, 900, "BMP")
    assert 1 << 20 < len(photograph) < MAX_MB * 1e6  # forms of this size go through files elsewhere
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (500_000, 500_000))
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="../../../tmp/owned.png"\r\n\r\n'
    before = sorted(server.folder.rglob("*"))
    answer = server.post(head + photograph + b"\r\n--b--\r\n", kind="multipart/form-data; boundary=b")
    assert answer.status == 200
    assert sorted(server.folder.rglob("*")) == before
    assert b"owned" not in answer.body and "owned" not in server.log()


def raw(server, head, *rest, client="127.0.0.9"):
    """Send bytes as they are, and return all that comes back."""
    with server.connect(client) as connection:
        connection.sendall(head)
        for part in rest:
            connection.sendall(part)
        received = b""
        while b"\r\n\r\n" not in received or b"}" not in received:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:  # it had not read all of it
                break
            received += part
            if not part:
                break
    return received


def test_a_body_without_a_length_is_counted_as_it_comes(server):
    head = b"POST /api/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n" % 500_000 + bytes(500_000) + b"\r\n"
    assert raw(server, head, *[chunk] * 7).startswith(b"HTTP/1.1 413 ")


def test_a_wrong_content_length_does_no_harm(server):
    head = b"POST /api/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
    assert raw(server, head % 10**12).startswith(b"HTTP/1.1 413 ")
    assert raw(server, head % 10, b"x" * 1000).startswith(b"HTTP/1.1 415 ")  # more than said
    with server.connect() as connection:  # less than said, and gone
        connection.sendall(head % 1000 + b"x" * 10)
    began = time.monotonic()
    found = raw(server, head % 1000, b"x" * 10)
    assert found.startswith(b"HTTP/1.1 408 ") and b"took longer than 1.5 s; try again" in found
    assert time.monotonic() - began >= UPLOAD_S
    assert raw(server, b"\x16\x03\x01 what is this\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\na: " + b"b" * 200_000)[:13] in (b"", b"HTTP/1.1 400 ")


def test_a_slow_upload_ends_after_the_time_limit(server):
    head = b"POST /api/segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 999\r\n\r\n"
    slow = [server.connect("127.0.0.7") for _ in range(2)]
    for connection in slow:
        connection.sendall(head)
    while server.ask("GET", "/healthz").json["uploads"] < 2:
        time.sleep(0.02)
    answer = server.post(encoded(40, 40))
    assert answer.status == 429 and int(answer.headers["Retry-After"]) >= 1
    assert answer.sentence.startswith("2 uploads are before this one; try again in ")
    assert {connection.recv(12) for connection in slow} == {b"HTTP/1.1 408"}
    for connection in slow:
        connection.close()
    assert server.post(encoded(40, 40)).status == 200


def test_the_rate_limit_is_for_each_client(server):
    codes = [server.post(b"", client="127.0.0.5").status for _ in range(30)]
    assert set(codes) == {400}
    answer = server.post(encoded(40, 40), client="127.0.0.5", x_forwarded_for="9.9.9.9")
    assert answer.status == 429 and 1 <= int(answer.headers["Retry-After"]) <= 3
    assert answer.sentence.startswith("more than 30 uploads a minute; try again in ")
    assert server.post(encoded(40, 40), client="127.0.0.6").status == 200
    assert server.ask("GET", "/api/model", client="127.0.0.5").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", "["]
)
def test_an_unknown_host_name_is_refused(server, host):
    for answer in (server.ask("GET", "/", host=host), server.post(encoded(40, 40), host=host)):
        assert (answer.status, "does not answer to" in answer.sentence) == (421, True)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]:8000", "192.168.1.9"])
def test_addresses_and_localhost_are_answered(server, host):
    assert server.ask("GET", "/healthz", host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_another_site_cannot_send_a_form(server, headers):
    answer = server.post(encoded(40, 40), host="localhost:8000", **headers)
    assert (answer.status, "another site" in answer.sentence) == (403, True)
    assert server.post(encoded(40, 40), host="localhost:8000", origin="http://localhost:8000").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/page/../app.py", 404),
        ("GET", "/%2e%2e/app.py", 404),
        ("GET", "/api/segment", 405),
        ("OPTIONS", "/api/segment", 405),
        ("PUT", "/api/segment", 405),
    ],
)
def test_there_are_no_other_addresses_and_methods(server, method, path, status):
    answer = server.ask(method, path)
    assert (answer.status, "is not supported" in answer.sentence) == (status, True)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/api/model", "/healthz", "/nothing"])
def test_every_response_has_the_security_headers(server, path):
    headers = server.ask("GET", path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] is None and headers["Set-Cookie"] is None


def test_the_log_has_time_client_and_status_only(server):
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG")
    server.post(buffer.getvalue() + b"secret", client="127.0.0.20")
    while "127.0.0.20 200 " not in server.log():  # the line follows the answer
        time.sleep(0.02)
    log = server.log()
    assert "Traceback" not in log and "secret" not in log and "PNG" not in log
