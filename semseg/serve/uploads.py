"""Read uploads within limits, into memory only."""

from __future__ import annotations

import asyncio

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from semseg.serve.options import Limits


class Refused(Exception):
    """A request is refused; the response is the message.

    Attributes:
        status: HTTP status code.
        retry_s: after how many seconds the client may try again; None: never.
    """

    def __init__(self, status: int, sentence: str, retry_s: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_s = retry_s


async def read_upload(request: Request, limits: Limits) -> bytes:
    """Return the uploaded file, sent as the body of the request or in a form; its name is ignored.

    Raises:
        Refused: the upload is too large or too slow, or it is not exactly one file.
    """
    kind, options = parse_options_header(request.headers.get("content-type", "application/octet-stream"))
    if kind != b"multipart/form-data" and kind != b"application/octet-stream" and not kind.startswith(b"image/"):
        raise Refused(415, "expected a photograph (Content-Type: image/jpeg) or a form with one (multipart/form-data)")
    body = await _read_body(request, limits)
    if kind == b"multipart/form-data":
        body = await asyncio.to_thread(_only_part, body, options.get(b"boundary", b""))  # parsing may take seconds
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
            if len(body) + len(chunk) > limits.max_bytes:  # whatever Content-Length says
                raise too_large
            body.extend(chunk)

    try:
        await asyncio.wait_for(fill(), limits.upload_timeout_s)
    except asyncio.TimeoutError:
        raise Refused(
            408, f"the upload took longer than {limits.upload_timeout_s:g} s; try again, or send less"
        ) from None
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
