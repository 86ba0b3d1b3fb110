"""What a server can be asked for: it makes the flags of `tools/serve.py`, and imports nothing heavy for `--help`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semseg.config.options import option


@dataclass(frozen=True)
class AddressOptions:
    """Where the server listens."""

    host: str = option(
        "127.0.0.1",
        help="address to listen at; default: 127.0.0.1, this machine only; 0.0.0.0: all networks, without a password",
    )
    port: int = option(8000, type=int, help="default: 8000; 0: any that is free")
    allow_host: Sequence[str] = option(
        (), nargs="+", metavar="NAME", help="names by which browsers may call it, besides localhost and addresses"
    )


@dataclass(frozen=True)
class Limits:
    """Limits of the server.

    Attributes:
        max_mb: size of an upload, in millions of bytes.
        max_pixels: of a photograph; larger ones are not decoded.
        upload_timeout_s: maximum duration of an upload.
        queue: uploads that may wait while another one is segmented.
        rate: uploads of one client in a minute; 0: no limit.
    """

    max_mb: float = option(25, type=float, metavar="N", help="of an upload; default: 25")
    max_pixels: int = option(50_000_000, type=int, metavar="N", help="of a photograph; default: 50000000")
    upload_timeout_s: float = option(30, flag="--upload-timeout", type=float, metavar="S", help="default: 30 seconds")
    queue: int = option(4, type=int, metavar="N", help="uploads that may wait for the one at work; default: 4")
    rate: int = option(60, type=int, metavar="N", help="uploads of one client per minute; 0: any number; default: 60")

    @property
    def max_bytes(self) -> int:
        """Size of an upload in bytes."""
        return round(self.max_mb * 1e6)
