"""Access control: allowed host names, no cross-site requests, a rate limit; and security headers on every response."""

from __future__ import annotations

import ipaddress
import sys
import time
import traceback
from collections.abc import Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from semseg.serve.uploads import Refused

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_MAX_CLIENTS = 10_000


class Guard:
    """ASGI middleware that checks each request before the application gets it.

    Args:
        app: the ASGI application.
        names: host names that requests may use, besides IP addresses and localhost, which are always allowed.
        per_minute: POST requests of one client; 0: no limit.
    """

    def __init__(self, app: Any, names: Collection[str], per_minute: int) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}
        self._per_minute = per_minute
        self._left: dict[str, tuple[float, float]] = {}  # by client: requests left, and the time of this count

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status = time.monotonic(), 0

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(raw=message["headers"]).update(_HEADERS)
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, send_with_headers)
        except Refused as refused:
            await refusal(refused)(scope, receive, send_with_headers)
        except Exception as error:  # its message is not printed: it may quote the upload
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"error: {type(error).__name__} in {where.filename}:{where.lineno}", file=sys.stderr, flush=True)
        if scope["method"] == "POST":
            took_s = time.monotonic() - began_s
            print(f"{time.strftime('%H:%M:%S')} {_client(scope)} {status} {took_s:.2f} s", file=sys.stderr, flush=True)

    def _check(self, scope: MutableMapping[str, Any]) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        # DNS rebinding: a page of another site whose name now points here still sends its own name as Host
        if not self._is_allowed(host):
            raise Refused(421, f"this server does not answer to {host[:100]!r}; start it with --allow-host NAME")
        if scope["method"] in ("GET", "HEAD"):
            return
        origin = headers.get("origin")
        is_cross_origin = origin is not None and urlsplit(origin).netloc.lower() != host
        if is_cross_origin or headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise Refused(403, "the request comes from another site; open the page of this server instead")
        if self._per_minute:
            self._count(_client(scope))

    def _is_allowed(self, host: str) -> bool:
        # Starlette's TrustedHostMiddleware takes a list of names and cannot allow every IP address
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self._names or bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _count(self, client: str) -> None:
        now, limit = time.monotonic(), self._per_minute
        if len(self._left) >= _MAX_CLIENTS:  # forget clients that have their full number again after a minute
            self._left = {name: entry for name, entry in self._left.items() if now - entry[1] < 60}
        left, since = self._left.get(client, (limit, now))
        left = min(limit, left + (now - since) * limit / 60)
        if left < 1:
            wait_s = int((1 - left) * 60 / limit) + 1
            raise Refused(429, f"more than {limit} uploads a minute; try again in {wait_s} s", wait_s)
        self._left[client] = left - 1, now


def refusal(refused: Refused) -> JSONResponse:
    """Return the JSON response with the message of a refused request."""
    headers = {} if refused.retry_s is None else {"Retry-After": str(refused.retry_s)}
    return JSONResponse({"error": str(refused)}, refused.status, headers)


def _client(scope: MutableMapping[str, Any]) -> str:
    return scope["client"][0] if scope["client"] else "unknown"
