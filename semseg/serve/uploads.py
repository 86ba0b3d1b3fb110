"""What a client sends: read within bounds, into memory only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect


@dataclass(frozen=True)
class Limits:
    """What a server takes on.

    Attributes:
        max_bytes: of an upload.
        max_pixels: of a photograph; larger ones are not decoded.
        upload_s: how long an upload may take.
        num_waiting: uploads that may wait for the one at work.
        per_minute: uploads of one client; 0: any number.
    """

    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000
    upload_s: float = 30
    num_waiting: int = 4
    per_minute: int = 60


class Refused(Exception):
    """A request gets a sentence in place of what it asked for.

    Attributes:
        status: of HTTP.
        retry_s: when it may be worth to ask again.
    """

    def __init__(self, status: int, sentence: str, retry_s: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_s = retry_s


async def read_upload(request: Request, limits: Limits) -> bytes:
    """Return the file that a request carries, as its body or in a form; what the client calls it is not looked at.

    Raises:
        Refused: it is too large, too slow, no file, or several.
    """
    kind, options = parse_options_header(request.headers.get("content-type", "application/octet-stream"))
    if kind != b"multipart/form-data" and kind != b"application/octet-stream" and not kind.startswith(b"image/"):
        raise Refused(415, "expected a photograph (Content-Type: image/jpeg) or a form with one (multipart/form-data)")
    body = await _read_body(request, limits)
    if kind == b"multipart/form-data":
        body = await asyncio.to_thread(_only_part, body, options.get(b"boundary", b""))  # some take seconds
    if not body:
        raise Refused(400, "the upload is empty; expected a photograph")
    return body


async def _read_body(request: Request, limits: Limits) -> bytes:
    limit = f"{limits.max_bytes / 1e6:g} MB"
    too_large = Refused(413, f"the upload is larger than {limit}, the limit here; send a smaller one")
    if int(request.headers.get("content-length", 0)) > limits.max_bytes:
        raise too_large
    body = bytearray()

    async def fill() -> None:
        async for chunk in request.stream():
            if len(body) + len(chunk) > limits.max_bytes:  # whatever was declared
                raise too_large
            body.extend(chunk)

    try:
        await asyncio.wait_for(fill(), limits.upload_s)
    except asyncio.TimeoutError:
        raise Refused(408, f"the upload took longer than {limits.upload_s:g} s; try again, or send less") from None
    except ClientDisconnect:
        raise Refused(400, "the upload ended early; send it again") from None
    return bytes(body)


def _only_part(body: bytes, boundary: bytes) -> bytes:
    parts: list[bytearray] = []

    def begin() -> None:
        if parts:
            raise Refused(400, "the form has several fields; expected one, the photograph")
        parts.append(bytearray())

    def extend(data: bytes, start: int, end: int) -> None:
        parts[0].extend(memoryview(data)[start:end])

    try:
        parser = MultipartParser(boundary, {"on_part_begin": begin, "on_part_data": extend})
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise Refused(400, "the form is damaged; expected multipart/form-data with one photograph") from None
    if not parts:
        raise Refused(400, "the form has no field; expected one, the photograph")
    return bytes(parts[0])
