"""Read labelme's JSON files: one per image, shapes in file order.

If the image file is missing, the image in `imageData` is used.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from semseg.datasets.importers.parsed import Annotated, Parsed
from semseg.datasets.importers.shapes import Bitmap, Outline, Shape, stated_size
from semseg.errors import InvalidDataError, MissingDataError
from semseg.system.folders import walk_files

_OUTLINES = ("polygon", "rectangle", "oriented_rectangle", "circle", "line", "linestrip")
_LINE_WIDTH_PX = 10  # labelme.utils.shape_to_mask


def parse(source: Path, images_dir: Path | None = None, line_width_px: int | None = None) -> Parsed:
    """Read one JSON file, or all JSON files under a folder.

    Args:
        source: file or folder.
        images_dir: folder of the images; default: the `imagePath`, relative to the JSON file.
        line_width_px: of the shape types line and linestrip; default: 10, as labelme draws them.

    Raises:
        FileNotFoundError: no such file or folder, or no JSON file under it.
        ValueError: a file was not written by labelme.
    """
    if source.is_dir():
        paths = sorted(path for path in walk_files(source) if path.suffix == ".json")
        folder = source
    elif source.is_file():
        paths, folder = [source], source.parent
    else:
        raise MissingDataError(f"no file or folder {source}", code="E-data-missing")
    if not paths:
        raise MissingDataError(
            f"no .json files under {source}; give the folder where labelme saved them", code="E-data-missing"
        )
    images, left_out = [], Counter()
    for path in paths:
        content = _read(path)
        shapes = []
        for index, shape in enumerate(content["shapes"]):
            try:
                kind = str(shape.get("shape_type") or "polygon")
                parsed_shape = _parse_shape(shape, kind, line_width_px or _LINE_WIDTH_PX)
            except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
                raise InvalidDataError(
                    f"{path}: shape {index} is not one of labelme's ({_describe(error)})", code="E-data-annotation"
                ) from None
            if parsed_shape is None:
                left_out[kind] += 1
            else:
                shapes.append(parsed_shape)
        relative = path.relative_to(folder)
        images.append(
            Annotated(
                name=relative.with_suffix("").as_posix(),
                image_paths=_list_image_paths(path, relative, content["imagePath"], images_dir),
                size=stated_size(content.get("imageWidth"), content.get("imageHeight"), path),
                shapes=tuple(shapes),
                embedded=ImageData(path) if content.get("imageData") else None,
            )
        )
    return Parsed(tuple(images), left_out=tuple(sorted(left_out.items())), order="in file order")


class ImageData(NamedTuple):
    """The image that a JSON file holds."""

    path: Path

    def __str__(self) -> str:
        return f"{self.path}, its imageData"

    def read(self) -> bytes:
        """Return the content of the image file.

        Raises:
            ValueError: `imageData` is not base64.
        """
        try:
            return base64.b64decode(_read(self.path)["imageData"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidDataError(
                f"{self.path}: imageData is not base64 ({error})", code="E-data-annotation"
            ) from None


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise InvalidDataError(f"{path}: not JSON ({error})", code="E-data-annotation") from None
    for key, kind in (("shapes", list), ("imagePath", str)):
        if not isinstance(content, dict) or not isinstance(content.get(key), kind):
            raise InvalidDataError(
                f"{path}: no '{key}' in it, so labelme did not write it; move it out of the folder",
                code="E-data-annotation",
            )
    return content


def _parse_shape(shape: dict, kind: str, line_width_px: int) -> Shape | None:
    """Return the shape; None if it has no area."""
    label = str(shape["label"])
    points = tuple((float(x), float(y)) for x, y in shape["points"])
    if kind == "mask":
        return Bitmap(label, str(shape["mask"]), (int(points[0][0]), int(points[0][1])))
    if kind in _OUTLINES:
        return Outline(label, kind, points, line_width_px)
    return None


def _list_image_paths(path: Path, relative: Path, image_path: str, images_dir: Path | None) -> tuple[Path, ...]:
    """Return the possible paths of an image; labelme on Windows writes backslashes."""
    image = PurePosixPath(PureWindowsPath(image_path).as_posix())
    if images_dir is None:
        return path.parent / image, path.parent / image.name
    return images_dir / relative.parent / image.name, images_dir / image, images_dir / image.name


def _describe(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
