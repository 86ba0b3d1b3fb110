"""The page, the endpoint, and the single thread in which the model runs."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import math
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from PIL import Image, UnidentifiedImageError
from starlette.exceptions import HTTPException

from semseg.datasets.index_png import index_image
from semseg.inference.memory import is_out_of_memory
from semseg.inference.outputs import class_shares, mean_confidence
from semseg.inference.prediction import ImagePredictor, without_nodata
from semseg.inference.reading import Photograph, TooManyPixelsError, read_photograph
from semseg.serve.access import Guard, refusal
from semseg.serve.options import Limits
from semseg.serve.uploads import Refused, read_upload
from semseg.visualization import drawing
from semseg.visualization.picture_files import QUALITY

_PAGE = Path(__file__).with_name("page")
_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_MASKS = ("base64", "png", "none")
_PREVIEW_PX = 4096
_MAX_SCANS = 100  # progressive JPEGs have about 10; 25 MB of empty ones would be decoded for hours


class Work:
    """Segments uploads, one at a time.

    Args:
        predictor: the model.
        limits: of this server.

    Attributes:
        predictor, limits: as given.
        num_taken: uploads that are being read, are waiting, or are being segmented.
        is_busy: whether an upload is being segmented.
    """

    def __init__(self, predictor: ImagePredictor, limits: Limits) -> None:
        self.predictor = predictor
        self.limits = limits
        self._thread = ThreadPoolExecutor(1)
        self._last_duration_s = 1.0
        self.num_taken = 0
        self.is_busy = False

    async def segment(self, request: Request, mask: str, preview: bool) -> Response:
        """Read an upload, segment it and return the response.

        The upload counts as waiting before it is read, so that the memory of all uploads is bounded, too.
        """
        if self.num_taken > self.limits.queue:
            wait_s = math.ceil(self._last_duration_s * self.num_taken)
            raise Refused(429, f"{self.num_taken} uploads are before this one; try again in {wait_s} s", wait_s)
        self.num_taken += 1
        try:
            upload = await read_upload(request, self.limits)
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, upload, mask, preview)
        finally:
            self.num_taken -= 1

    def _work(self, *arguments: Any) -> Response:
        began_s, self.is_busy = time.monotonic(), True
        try:
            return self._answer(*arguments)
        finally:
            self._last_duration_s, self.is_busy = time.monotonic() - began_s, False

    def _answer(self, upload: bytes, mask: str, preview: bool) -> Response:
        photograph = self._read(upload)
        image = photograph.image
        try:
            (prediction,) = self.predictor.predict([image], confidence=self.predictor.has_probabilities)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise Refused(503, "not enough memory for this photograph; send a smaller one") from None
        except ValueError as error:  # an exported model may accept only one size
            raise Refused(400, str(error)) from None
        prediction = without_nodata(prediction, photograph.nodata)
        train_ids = prediction.train_ids
        png = _encode(index_image(train_ids, self.predictor.palette), "PNG") if mask != "none" else b""
        if mask == "png":
            return Response(png, media_type="image/png")
        classes = self.predictor.classes
        shares = class_shares(train_ids, len(classes)).tolist()
        content = dict(
            width=train_ids.shape[1],
            height=train_ids.shape[0],
            mean_confidence=mean_confidence(prediction),
            shares=dict(zip(classes, shares, strict=True)),
            classes=list(classes),
            palette=np.asarray(self.predictor.palette).tolist(),
        )
        if png:
            content["mask"] = _base64(png)
        if preview:  # oriented as the mask, in a format that every browser can show
            preview_picture = Image.fromarray(photograph.rgb)
            preview_picture.thumbnail((_PREVIEW_PX, _PREVIEW_PX))
            content["photograph"] = _base64(_encode(preview_picture, "JPEG", quality=QUALITY))
            shown = np.asarray(Image.fromarray(train_ids).resize(preview_picture.size, Image.Resampling.NEAREST))
            lines = drawing.outline(np.full((*shown.shape, 3), 127, np.uint8), shown)[:, :, 0]
            content["outlines"] = _base64(_encode(Image.fromarray(lines), "PNG", transparency=127))
        return Response(json.dumps(content), media_type="application/json")

    def _read(self, upload: bytes) -> Photograph:
        if upload.startswith(b"\xff\xd8") and upload.count(b"\xff\xda") > _MAX_SCANS:
            raise Refused(400, f"the photograph has more than {_MAX_SCANS} scans; save it as an ordinary JPEG")
        try:
            return read_photograph(
                upload, self.predictor.exif, self.limits.max_pixels, self.predictor.bits, self.predictor.bands
            )
        except TooManyPixelsError:
            limit = f"{self.limits.max_pixels / 1e6:g} million pixels"
            raise Refused(413, f"the photograph has more than {limit}, the limit here; send a smaller one") from None
        except ValueError as error:
            if isinstance(error.__cause__, UnidentifiedImageError):
                formats = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"
                raise Refused(415, f"the upload is not a readable photograph; expected {formats}") from None
            raise Refused(400, f"the photograph cannot be read: {error}") from None


def make_app(work: Work, name: str, names: Collection[str] = ()) -> Guard:
    """Return the ASGI application.

    Args:
        work: segments the uploads.
        name: of the model.
        names: host names that requests may use, see `Guard`.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)  # these pages load scripts from other servers
    predictor, limits = work.predictor, work.limits
    about = dict(
        name=name,
        classes=list(predictor.classes),
        palette=np.asarray(predictor.palette).tolist(),
        limits=dict(bytes=limits.max_bytes, pixels=limits.max_pixels, per_minute=limits.rate),
    )

    @app.post("/api/segment")
    async def segment(request: Request) -> Response:
        mask = request.query_params.get("mask", "base64")
        if mask not in _MASKS:
            raise Refused(400, f"mask={mask[:50]!r} is unknown; expected {', '.join(_MASKS)}")
        return await work.segment(request, mask, preview=request.query_params.get("preview") == "1")

    @app.get("/api/model")
    async def model() -> dict:
        return about

    @app.get("/healthz")
    async def healthz() -> dict:
        return dict(status="ok", uploads=work.num_taken)

    for path, (file_name, media_type) in _FILES.items():
        app.get(path)(_static((_PAGE / file_name).read_bytes(), media_type))

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return refusal(error)

    @app.exception_handler(Exception)
    async def failed(*_: Any) -> Response:  # the guard gets the exception too, and logs where it was raised
        return refusal(Refused(500, "the server failed; its terminal shows where"))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        sentence = f"{request.method} is not supported at this address; POST a photograph to /api/segment"
        return refusal(Refused(error.status_code, sentence))

    return Guard(app, names, limits.rate)


def _static(content: bytes, media_type: str) -> Callable:
    async def respond() -> Response:
        return Response(content, media_type=media_type)

    return respond


def _encode(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
