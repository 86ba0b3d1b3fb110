"""Run the server: one process on one port, until Ctrl-C."""

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
    """Uvicorn's protocol with limits: on the number of connections, and on the time of idle ones.

    Uvicorn alone waits forever for the first request, and for a client that stops reading.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > _MAX_CONNECTIONS:
            transport.write(_FULL_HEAD + b"Content-Length: %d\r\n\r\n" % len(_FULL) + _FULL)
            transport.close()
        self._check_idle(None)

    def _check_idle(self, before: tuple | None) -> None:
        """Close the connection if nothing has happened since the last check, unless the server is still working."""
        if self not in self.connections:
            return
        num_unread = self.transport.get_write_buffer_size()
        is_idle = self.cycle is None or self.cycle.response_complete
        now = self.cycle, is_idle, num_unread
        if now == before and (is_idle or num_unread):
            self.transport.abort()
        else:
            self.loop.call_later(_IDLE_S, self._check_idle, now)


def bind(host: str, port: int) -> socket.socket:
    """Bind a port before the model is loaded, so that a port in use is reported early.

    Connections are refused until the socket listens.

    Raises:
        ValueError: the port is in use or not allowed, or this machine does not have the address.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise InvalidInputError(
            f"`host` {host}: no such address; expected 127.0.0.1, or 0.0.0.0 for all networks", code="E-input-address"
        ) from None
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InvalidInputError(
                f"`port` {port} is in use on {host}; choose another, or 0 for any free port", code="E-input-address"
            ) from None
        reason = (error.strerror or str(error)).lower()
        raise InvalidInputError(
            f"`host` {host} `port` {port} cannot be used: {reason}; choose others", code="E-input-address"
        ) from None
    return listener


def run(app: Any, listener: socket.socket, is_busy: Callable[[], bool]) -> None:
    """Serve requests until Ctrl-C.

    Args:
        app: from `make_app`.
        listener: from `bind`.
        is_busy: whether the model is running; then the process ends without waiting for it.

    Raises:
        Stopped: Ctrl-C was pressed.
    """
    try:
        uvicorn.Server(configuration(app)).run([listener])
    except KeyboardInterrupt:
        if is_busy():
            print("stopped", file=sys.stderr, flush=True)
            os._exit(130)  # a normal exit would wait for the thread of the model
        raise Stopped("stopped", 130) from None


def configuration(app: Any) -> uvicorn.Config:
    """Return the configuration of uvicorn."""
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # the guard logs the requests
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # clients could choose the address that the rate limit counts
        timeout_graceful_shutdown=1,
    )
