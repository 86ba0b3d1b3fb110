"""A local server with the forms of Cityscapes' download pages, which can simulate faults."""

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

USERNAME, PASSWORD = "ada@example.org", "horse&staple=+%"


def make_zip(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Return a zip archive of files (content by name) and symbolic links (target by name)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for name, target in (links or {}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, target)
    return buffer.getvalue()


class FakeSite:
    """The archives of the server, the faults that it simulates, and the requests that it received."""

    def __init__(self, archives: dict[str, bytes]) -> None:
        self.archives = archives
        self.md5_sums: dict[str, str] = {}  # by name of the archive, instead of the correct ones
        self.pages_for: set[str] = set()  # names of archives that are answered with a page
        self.cuts: list[int] = []  # number of bytes after which each of the next transfers is cut
        self.continues = True  # supports Range requests
        self.says_length = True  # sends Content-Length
        self.chunk_s = 0.0  # delay before every 64 KiB
        self.status: int | None = None  # if set, the answer to every request
        self.url = ""
        self.requests: list[tuple[str, str | None]] = []  # path, Range
        self.headers: list[dict[str, str]] = []

    def num_bytes_asked(self) -> list[str | None]:
        """Return the Range header of every request for an archive."""
        return [span for path, span in self.requests if "file-handling" in path]


@contextmanager
def serve(archives: dict[str, bytes]) -> Iterator[FakeSite]:
    """Run a server in a thread until the block ends."""
    site = FakeSite(archives)
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    site: FakeSite
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.site.requests.append((f"POST {self.path}", None))
        form = parse_qs(body)
        if form == {"username": [USERNAME], "password": [PASSWORD], "submit": ["Login"]}:
            self._answer(302, b"", {"Location": "/downloads/", "Set-Cookie": "session=known"})
        else:
            self._answer(200, b"<html>wrong</html>", {"Content-Type": "text/html; charset=UTF-8"})

    def do_GET(self) -> None:
        site = self.site
        site.requests.append((self.path, self.headers.get("Range")))
        site.headers.append(dict(self.headers))
        if site.status:
            return self._answer(site.status, b"")
        if self.path == "/login":
            return self._answer(200, b"<html>form</html>", {"Content-Type": "text/html"})
        if "session=known" not in self.headers.get("Cookie", ""):
            return self._answer(302, b"", {"Location": "/login"})
        if self.path == "/downloads/?list":
            entries = [
                {
                    "packageID": str(index),
                    "name": name,
                    "size": f"{len(content) / 1e3:.1f}KB",
                    "thirdparty": "0",
                }
                for index, (name, content) in enumerate(site.archives.items())
            ]
            return self._answer(200, json.dumps(entries).encode())
        url = urlsplit(self.path)
        name, content = list(site.archives.items())[int(parse_qs(url.query)["packageID"][0])]
        if url.path == "/md5-sum/":
            md5 = site.md5_sums.get(name) or hashlib.md5(content).hexdigest()
            return self._answer(200, f"{md5}  {name}\n".encode())
        if name in site.pages_for:
            return self._answer(200, b"<html>accept our terms</html>", {"Content-Type": "text/html"})
        return self._send_archive(content)

    def _send_archive(self, content: bytes) -> None:
        site, start = self.site, 0
        span = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        if span and site.continues:
            start = int(span[1])
            if start >= len(content):
                return self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/zip")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if site.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        end = start + site.cuts.pop(0) if site.cuts else len(content)
        for position in range(start, min(end, len(content)), 1 << 16):
            threading.Event().wait(site.chunk_s)
            try:
                self.wfile.write(content[position : min(position + (1 << 16), end)])
            except (BrokenPipeError, ConnectionResetError):
                return None
        return None

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
