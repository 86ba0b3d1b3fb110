"""One process on one port, until Ctrl-C."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from semseg.errors import InvalidInputError
from semseg.system.stopping import Stopped

_MAX_CONNECTIONS = 64
_IDLE_S = 10
_FULL = b'{"error": "too many connections are open here; try again in 10 s"}'
_FULL_HEAD = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 10\r\nConnection: close\r\n"
)


class Protocol(H11Protocol):
    """Uvicorn's, which by itself waits for ever for the first request, and for a client that does not read on."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > _MAX_CONNECTIONS:
            transport.write(_FULL_HEAD + b"Content-Length: %d\r\n\r\n" % len(_FULL) + _FULL)
            transport.close()
        self._look(None)

    def _look(self, before: tuple | None) -> None:
        """End the connection when nothing has happened since the last look, but for the server's own work."""
        if self not in self.connections:
            return
        num_unread = self.transport.get_write_buffer_size()
        is_idle = self.cycle is None or self.cycle.response_complete
        now = self.cycle, is_idle, num_unread
        if now == before and (is_idle or num_unread):
            self.transport.abort()
        else:
            self.loop.call_later(_IDLE_S, self._look, now)


def bind(host: str, port: int) -> socket.socket:
    """Take a port, so that a model need not be loaded in vain; connections are refused until it listens.

    Raises:
        ValueError: it is in use or not allowed, or there is no such host here.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise InvalidInputError(
            f"--host {host}: no such address; expected 127.0.0.1, or 0.0.0.0 for all networks"
        ) from None
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InvalidInputError(
                f"--port {port} is in use on {host}; name another, or 0 for any that is free"
            ) from None
        reason = (error.strerror or str(error)).lower()
        raise InvalidInputError(f"--host {host} --port {port} cannot be taken: {reason}; name others") from None
    return listener


def run(app: Any, listener: socket.socket, is_busy: Callable[[], bool]) -> None:
    """Answer until Ctrl-C.

    Args:
        app: from `make_app`.
        listener: from `bind`.
        is_busy: whether the model is at work, which then is not waited for.

    Raises:
        Stopped: it was Ctrl-C.
    """
    try:
        uvicorn.Server(configuration(app)).run([listener])
    except KeyboardInterrupt:
        if is_busy():
            print("stopped", file=sys.stderr, flush=True)
            os._exit(130)  # the interpreter would wait for its threads
        raise Stopped("stopped", 130) from None


def configuration(app: Any) -> uvicorn.Config:
    """Return how uvicorn runs an application here."""
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # what matters is said by the guard
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # clients would choose the address that they are counted by
        timeout_graceful_shutdown=1,
    )
