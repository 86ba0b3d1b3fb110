"""The place of an image on the earth, from the tags of a GeoTIFF or the world file beside an image.

The mask of an image gets the same place: as tags of a TIFF file, and as a world file if the image has one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from semseg.datasets import tiff_tags
from semseg.errors import InvalidInputError
from semseg.system.atomic import atomic_path
from semseg.system.folders import TIFF_SUFFIXES

_TURNED_ONLY_BY_EXIF = range(2, 9)
_WORLD_LETTERS = {".tif": "tf", ".tiff": "tf", ".jpg": "jg", ".jpeg": "jg", ".png": "pg", ".bmp": "bp", ".webp": "wb"}


class Place(NamedTuple):
    """The place of the pixels of an image on the earth.

    Attributes:
        tags: of a GeoTIFF, as `tifffile` takes them: code, type, number of values, values, write once. Empty if the
            place comes from a world file.
        world: the text of the world file beside the image; empty if there is none.
        is_tiff: whether the image is a TIFF file, so that the mask is written as one, too.
    """

    tags: tuple[tuple[int, int, int, Any, bool], ...] = ()
    world: str = ""
    is_tiff: bool = False

    @property
    def mask_suffix(self) -> str:
        """Suffix of the mask, whose format has to hold this place."""
        return ".tif" if self.is_tiff else ".png"


def find_place(path: Path, exif: str = "apply") -> Place | None:
    """Return the place of an image on the earth; None if it is not known.

    Args:
        path: of the image.
        exif: whether its pixels are rotated by its EXIF orientation: `apply` or `ignore`.

    Raises:
        ValueError: its world file cannot be used, or it has a place and is rotated by EXIF, so that the place of its
            pixels is not known.
    """
    tags: tuple = ()
    orientation = 1
    with path.open("rb") as file:
        is_tiff = tiff_tags.is_tiff(file.read(4))
        if is_tiff:
            stored = tiff_tags.read_tiff_tags(file)
            tags = as_extra_tags(stored)
            orientation = stored[tiff_tags.ORIENTATION].values[0] if tiff_tags.ORIENTATION in stored else 1
    world = "" if tags else _read_world_file(path)
    if not tags and not world:
        return None
    if not is_tiff and exif == "apply":
        with Image.open(path) as image:
            orientation = image.getexif().get(tiff_tags.ORIENTATION, 1)
    if orientation in _TURNED_ONLY_BY_EXIF:
        raise InvalidInputError(
            f"has a place on the earth and is turned by its orientation ({orientation}), so the place of its pixels is"
            " not known; save it upright",
            code="E-input-place",
        )
    return Place(tags, world, is_tiff)


def as_extra_tags(stored: dict[int, tiff_tags.Tag]) -> tuple[tuple[int, int, int, Any, bool], ...]:
    """Return the tags of a GeoTIFF about its place, as `tifffile` takes them."""
    tags = []
    for code in tiff_tags.PLACE_TAGS:
        if code in stored and stored[code].values:
            kind, values = stored[code]
            if kind == 2:
                tags.append((code, kind, 0, values[0], True))
            else:
                tags.append((code, kind, len(values), values, True))
    return tuple(tags)


def world_file_of(path: Path) -> Path:
    """Return the path of the world file of an image: a.tif has a.tfw, a.jpg has a.jgw, a.png has a.pgw."""
    suffix = path.suffix.lower()
    return path.with_suffix(f".{_WORLD_LETTERS[suffix]}w" if suffix in _WORLD_LETTERS else f"{suffix}w")


def write_world_file(mask_path: Path, place: Place | None) -> None:
    """Write the world file of a mask, if its image has one."""
    if place is not None and place.world:
        with atomic_path(world_file_of(mask_path)) as temporary:
            temporary.write_text(place.world, encoding="ascii")


def _read_world_file(path: Path) -> str:
    """Return the text of the world file beside an image; empty if there is none."""
    short = world_file_of(path).suffix
    long = f"{path.suffix}w"
    kinds = (short, ".tifw") if path.suffix.lower() in TIFF_SUFFIXES else (short,)
    for suffix in dict.fromkeys((*kinds, long, short.upper(), long.upper(), ".wld")):
        world_path = path.with_suffix(suffix)
        if not world_path.is_file():
            continue
        text = world_path.read_text(encoding="ascii", errors="replace")
        try:
            numbers = [float(number.replace(",", ".")) for number in text.split()]
        except ValueError:
            numbers = []
        if len(numbers) != 6:
            raise InvalidInputError(
                f"its world file {world_path.name} does not hold six numbers; mend it, or remove it",
                code="E-input-place",
            )
        return "".join(f"{number!r}\n" for number in numbers)
    return ""
