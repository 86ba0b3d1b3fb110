"""Draw the pictures of a report: photograph, ground truth, prediction and error map, small or in full size."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
from PIL import Image as Pillow

from semseg.analysis.report import collect
from semseg.datasets.image_files import read_image
from semseg.visualization.panels import WRONG
from semseg.visualization.picture_files import QUALITY, save_picture

VIEWS = ("photograph", "truth", "prediction", "errors")
_CORRECT_VEIL, _IGNORED_VEIL = (255, 255, 255, 196), (0, 0, 0, 200)  # over the photograph, with opacity
IMAGE_BYTES = 21_000  # so 500 images as base64 have 14 MB; with plotly.js (1.5 MB), a page has less than 25 MB
_WIDTHS = (480, 400, 320, 240, 160, 96)
_PANEL_WIDTH = 720


def draw_views(image: collect.Image, palette: Sequence, ignore_index: int, width: int | None) -> dict[str, np.ndarray]:
    """Draw the views of an image; views whose files are missing are left out.

    Args:
        image: a tested image.
        palette: RGB, shape (num_classes, 3).
        ignore_index: of the ground truth.
        width: maximum width and height of the pictures; None for the size of the photograph.

    Returns:
        RGB of the photograph, RGBA of the others, uint8, by the names of `VIEWS`. Truth and prediction are opaque
        where they have a class. The error map is a light veil over correct pixels and a solid colour over wrong ones.
    """
    views, size = {}, None
    if image.photograph_path is not None:
        with contextlib.suppress(ValueError):  # the file was damaged after the test
            photograph = read_image(image.photograph_path, image.exif, image.bits, image.bands)
            size = fitting(photograph.shape, width)
            views["photograph"] = cv2.resize(photograph, size, interpolation=cv2.INTER_AREA)
    ids = {}
    for name, path in (("truth", image.target_path), ("prediction", image.predicted_path)):
        if path is not None:
            ids[name] = np.asarray(Pillow.open(path))
            size = size or fitting(ids[name].shape, width)
            ids[name] = cv2.resize(ids[name], size, interpolation=cv2.INTER_NEAREST)
    table = np.full((256, 4), _IGNORED_VEIL, np.uint8)
    table[: len(palette), :3], table[: len(palette), 3] = palette, 255
    views.update((name, table[train_ids]) for name, train_ids in ids.items())
    if len(ids) == 2:
        wrong = np.where(ids["truth"] == ids["prediction"], 0, 1)
        wrong[ids["truth"] == ignore_index] = 2
        views["errors"] = np.array([_CORRECT_VEIL, (*WRONG, 255), _IGNORED_VEIL], np.uint8)[wrong]
    return views


def fitting(shape: Sequence[int], width: int | None) -> tuple[int, int]:
    """Return width and height, scaled down so that neither exceeds `width`."""
    scale = min(1, width / max(shape[:2])) if width else 1
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def thumbnails(image: collect.Image, palette: Sequence, ignore_index: int) -> dict[str, str]:
    """Return the views as data URIs, as large as `IMAGE_BYTES` allows."""
    encoded: dict[str, bytes] = {}
    for width in _WIDTHS:
        views = draw_views(image, palette, ignore_index, width)
        encoded = {name: webp(view) for name, view in views.items()}
        if sum(map(len, encoded.values())) <= IMAGE_BYTES:
            break
    return {name: data_uri(picture) for name, picture in encoded.items()}


def write_large(image: collect.Image, palette: Sequence, ignore_index: int, folder: Path) -> dict[str, str]:
    """Write the views in full size into `folder`; return their URLs relative to its parent folder."""
    urls = {}
    for name, view in draw_views(image, palette, ignore_index, None).items():
        path = folder / f"{image.name}_{name}{'.jpg' if view.shape[2] == 3 else '.png'}"
        save_picture(view, path, quality=QUALITY)  # PNG ignores it
        urls[name] = quote(path.relative_to(folder.parent).as_posix())
    return urls


def panel(path: Path) -> str:
    """Return a validation picture as a data URI."""
    picture = Pillow.open(path).convert("RGB")
    picture.thumbnail((_PANEL_WIDTH, _PANEL_WIDTH), Pillow.Resampling.LANCZOS)
    return data_uri(webp(np.asarray(picture)))


def webp(picture: np.ndarray) -> bytes:
    """Encode as WebP: RGB lossy; RGBA lossless, because these pictures have few colours and sharp edges."""
    buffer = io.BytesIO()
    options = {"quality": 72, "method": 3} if picture.shape[2] == 3 else {"lossless": True, "method": 3, "quality": 60}
    Pillow.fromarray(picture).save(buffer, "WEBP", **options)
    return buffer.getvalue()


def data_uri(picture: bytes) -> str:
    """Return a WebP picture as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
