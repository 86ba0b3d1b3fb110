"""Which images an input names, and what their results are called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


class SourceImage(NamedTuple):
    """An image to segment."""

    path: Path
    name: Path  # relative, without suffix: what its results are called


def find_images(source: str | Path) -> list[SourceImage]:
    """List the images of a file or folder, sub-folders too, in natural order (img2 before img10).

    Hidden files and other suffixes are left out.

    Raises:
        FileNotFoundError: there is no such path, or the folder holds no image.
        ValueError: the file is no image by its suffix, or two images would get one result.
    """
    source = Path(source)
    kinds = " ".join(IMAGE_SUFFIXES)
    if source.is_file():
        if source.suffix.lower() not in IMAGE_SUFFIXES:
            raise ValueError(f"{source} is not an image; expected one of {kinds}, or a folder of them")
        return [SourceImage(source, Path(source.stem))]
    if not source.is_dir():
        raise FileNotFoundError(f"no image or folder {source}")

    def visible(path: Path) -> bool:
        return not any(part.startswith(".") for part in path.relative_to(source).parts)

    files = [p for p in source.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and visible(p) and p.is_file()]
    if not files:
        found = sorted({p.suffix or p.name for p in source.rglob("*") if p.is_file()})
        hint = f"found only {', '.join(found[:5])}" if found else "it is empty"
        raise FileNotFoundError(f"no image in {source} ({hint}); expected {kinds}")
    files.sort(key=lambda path: _natural_key(path.relative_to(source)))
    taken: dict[Path, Path] = {}
    for path in files:
        name = path.relative_to(source).with_suffix("")
        if name in taken:
            raise ValueError(f"{taken[name]} and {path} would both write {name}.png; rename one of them")
        taken[name] = path
    return [SourceImage(path, name) for name, path in taken.items()]


def _natural_key(path: Path) -> list:
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", str(path).lower())][:-1]
