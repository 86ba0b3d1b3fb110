"""Options of the server, from which the flags of `tools/serve.py` are made; imports no heavy package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semseg.config.options import option


@dataclass(frozen=True)
class AddressOptions:
    """Where the server listens."""

    host: str = option(
        "127.0.0.1",
        help="address to listen on; default: 127.0.0.1, this machine only; 0.0.0.0: all networks, without a password",
    )
    port: int = option(8000, type=int, help="port to listen on; 0: any free port; default: 8000")
    allow_host: Sequence[str] = option(
        (),
        nargs="+",
        metavar="NAME",
        help="host names that browsers may use, in addition to localhost and IP addresses",
    )


@dataclass(frozen=True)
class Limits:
    """Limits of the server.

    Attributes:
        max_mb: maximum size of an upload, in millions of bytes.
        max_pixels: maximum number of pixels of a photograph; larger ones are not decoded.
        upload_timeout_s: maximum duration of an upload.
        queue: maximum number of uploads that wait while another one is segmented.
        rate: maximum number of uploads per client and minute; 0: no limit.
    """

    max_mb: float = option(25, type=float, metavar="N", help="maximum size of an upload in MB; default: 25")
    max_pixels: int = option(
        50_000_000, type=int, metavar="N", help="maximum pixels of a photograph; default: 50000000"
    )
    upload_timeout_s: float = option(
        30, flag="--upload-timeout", type=float, metavar="S", help="maximum seconds; default: 30"
    )
    queue: int = option(4, type=int, metavar="N", help="maximum number of waiting uploads; default: 4")
    rate: int = option(
        60, type=int, metavar="N", help="maximum uploads per client and minute; 0: no limit; default: 60"
    )

    @property
    def max_bytes(self) -> int:
        """Maximum size of an upload in bytes."""
        return round(self.max_mb * 1e6)
