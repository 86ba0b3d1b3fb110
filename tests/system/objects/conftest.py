"""A bucket with many names, whose pages are made as they are asked for."""

import http.server
import threading
import urllib.parse

import pytest

NUM_NAMES = 10_000


class Many(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    num_pages, num_names = 0, NUM_NAMES

    def log_message(self, *args):
        pass

    def do_GET(self):
        query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        start = int(query.get("continuation-token", 0))
        end = start + 1000
        entry = "<Contents><Key>photos/{}.jpg</Key><Size>1</Size><LastModified>2024-05-01T12:30:00.000Z</LastModified>"
        entries = "".join(entry.format(number) + "<ETag>x</ETag></Contents>" for number in range(start, end))
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < NUM_NAMES else ""
        body = (
            f"<ListBucketResult><Name>many</Name><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{entries}{more}"
            "</ListBucketResult>"
        ).encode()
        type(self).num_pages += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def many_names(monkeypatch):
    pytest.importorskip("obstore")
    handler = type("Handler", (Many,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
