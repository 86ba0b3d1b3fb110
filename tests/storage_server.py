"""A storage of S3's kind on this machine, by moto, and a proxy before it that fails as networks and servers do."""

import http.client
import http.server
import logging
import socket
import threading
import time
import urllib.parse
import urllib.request

BUCKET = "pictures"
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAVERYSECRETNAME",
    "AWS_SECRET_ACCESS_KEY": "very+secret/key",
    "AWS_SESSION_TOKEN": "very/secret+token",
}
SIGNATURE = "5ecre7516na7ure"
EXPIRED = (
    f"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message>"
    f"<Token-0>{SECRETS['AWS_SESSION_TOKEN']}</Token-0></Error>"
).encode()
UNKNOWN_KEY = (
    f"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{SECRETS['AWS_ACCESS_KEY_ID']}</AWSAccessKeyId></Error>"
).encode()
ANSWERS = {"500": (500, b""), "503": (503, b""), "expired": (400, EXPIRED), "unknown key": (403, UNKNOWN_KEY)}


class Storage:
    """The storage and the proxy; programs talk to the proxy.

    Attributes:
        url: of the proxy.
        faults: what happens to the next requests, from the first one on: `ok`, `cut` (no answer), `half` (the body is
            cut), `slow` (the body stops), or a key of `ANSWERS`.
        always: what happens to the requests after them; a pair (part of the path, fault) is for those only.
        requests: method and path of those that came.
    """

    def __init__(self):
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._moto.start()
        self.moto_url = "http://{}:{}".format(*self._moto.get_host_and_port())
        self.faults, self.always, self.requests = [], "ok", []
        self._proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Proxy", (_Proxy,), {"storage": self}))
        threading.Thread(target=self._proxy.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._proxy.server_port}"
        self.clear()

    def clear(self):
        """Remove all objects and faults."""
        urllib.request.urlopen(urllib.request.Request(f"{self.moto_url}/moto-api/reset", method="POST"))
        self.faults, self.always = [], "ok"
        self.request("PUT", f"/{BUCKET}")
        self.requests.clear()

    def close(self):
        self._proxy.shutdown()
        self._moto.stop()

    def request(self, method, path, body=None):
        """Send a request to the storage itself, and return the body of its answer."""
        authorization = "AWS4-HMAC-SHA256 Credential=x/20240101/us-east-1/s3/aws4_request"
        headers = {"Authorization": authorization, "Content-Type": "application/octet-stream"}
        url = f"{self.moto_url}{urllib.parse.quote(path)}"
        request = urllib.request.Request(url, method=method, data=body, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def put(self, key, content):
        self.request("PUT", f"/{BUCKET}/{key}", content)

    def get(self, key):
        return self.request("GET", f"/{BUCKET}/{key}")

    def fault_of(self, path):
        if self.faults:
            return self.faults.pop(0)
        if isinstance(self.always, tuple):
            return self.always[1] if self.always[0] in path else "ok"
        return self.always


class _Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def _pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.storage.requests.append((self.command, self.path))
        fault = self.storage.fault_of(self.path)
        if fault == "cut":
            self._cut()
            return
        if fault in ANSWERS:
            self._answer(*ANSWERS[fault], {})
            return
        upstream = http.client.HTTPConnection(self.storage.moto_url.removeprefix("http://"))
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() in ("etag", "last-modified")}
        kept |= {
            name: value for name, value in answer.getheaders() if name.lower() in ("content-range", "content-type")
        }
        if fault in ("half", "slow"):
            self._answer(answer.status, content, kept, content[: len(content) // 2])
            if fault == "slow":
                time.sleep(1)
            self._cut()
        else:
            self._answer(answer.status, content, kept)

    def _answer(self, status, content, headers, sent=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if sent is None else sent)
        self.wfile.flush()

    def _cut(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on
