"""The pictures of a report: an image as photograph, truth, prediction and error map, small or large."""

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
from semseg.system.atomic import atomic_path
from semseg.visualization.panels import WRONG

VIEWS = ("photograph", "truth", "prediction", "errors")
_CORRECT_VEIL, _IGNORED_VEIL = (255, 255, 255, 196), (0, 0, 0, 200)  # over the photograph, with opacity
IMAGE_BYTES = 21_000  # 500 images as base64 are 14 MB then, plotly.js is 5 MB: a page stays under 25 MB
_WIDTHS = (480, 400, 320, 240, 160, 96)
_PANEL_WIDTH = 720


def draw_views(image: collect.Image, palette: Sequence, ignore_index: int, width: int | None) -> dict[str, np.ndarray]:
    """Draw the views of an image that its files allow.

    Args:
        image: any.
        palette: RGB, shape (num_classes, 3).
        ignore_index: of the truth.
        width: of the pictures, at most; None for that of the photograph.

    Returns:
        RGB of the photograph, RGBA of the others, uint8, by the names of `VIEWS`. Truth and prediction are opaque
        where they have a class; errors are a veil over what is right, and a colour over what is wrong.
    """
    views, size = {}, None
    if image.photograph_path is not None:
        with contextlib.suppress(ValueError):  # damaged since the test
            photograph = read_image(image.photograph_path, image.exif, image.bits)
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
    """Return width and height: no wider than `width`, and no higher than it either."""
    scale = min(1, width / max(shape[:2])) if width else 1
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def thumbnails(image: collect.Image, palette: Sequence, ignore_index: int) -> dict[str, str]:
    """Return the views as data URIs, as large as the room for one image allows."""
    encoded: dict[str, bytes] = {}
    for width in _WIDTHS:
        views = draw_views(image, palette, ignore_index, width)
        encoded = {name: webp(view) for name, view in views.items()}
        if sum(map(len, encoded.values())) <= IMAGE_BYTES:
            break
    return {name: data_uri(stored) for name, stored in encoded.items()}


def write_large(image: collect.Image, palette: Sequence, ignore_index: int, folder: Path) -> dict[str, str]:
    """Write the views in full size into `folder`, and return their URLs relative to the folder it lies in."""
    urls = {}
    for name, view in draw_views(image, palette, ignore_index, None).items():
        path = folder / f"{image.name}_{name}{'.jpg' if view.shape[2] == 3 else '.png'}"
        with atomic_path(path) as temporary:
            Pillow.fromarray(view).save(temporary, **({"quality": 90} if path.suffix == ".jpg" else {}))
        urls[name] = quote(path.relative_to(folder.parent).as_posix())
    return urls


def panel(path: Path) -> str:
    """Return a picture of a validation as data URI."""
    picture = Pillow.open(path).convert("RGB")
    picture.thumbnail((_PANEL_WIDTH, _PANEL_WIDTH), Pillow.Resampling.LANCZOS)
    return data_uri(webp(np.asarray(picture)))


def webp(picture: np.ndarray) -> bytes:
    """Encode RGB lossy, and RGBA, which has few colours and sharp edges, without loss."""
    stored = io.BytesIO()
    options = {"quality": 72, "method": 3} if picture.shape[2] == 3 else {"lossless": True, "method": 3, "quality": 60}
    Pillow.fromarray(picture).save(stored, "WEBP", **options)
    return stored.getvalue()


def data_uri(stored: bytes) -> str:
    """Return a WebP picture as an address that needs no file."""
    return f"data:image/webp;base64,{base64.b64encode(stored).decode()}"
