"""The loop over a folder: read, predict, write, forget."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track

from semseg import drawing
from semseg.atomic import atomic_path
from semseg.inference.predictor import Predictor
from semseg.inference.sources import SourceImage


def infer(predictor: Predictor, images: Sequence[SourceImage], out_dir: str | Path, opacity: float) -> list[Path]:
    """Segment images, and write each result as soon as it exists.

    Writes `pred/NAME.png` (train ids, with the palette inside) and `vis/NAME.jpg` (overlay) under `out_dir`.
    An image that cannot be read is reported and skipped.

    Args:
        predictor: the model.
        images: from `find_images`.
        out_dir: made if missing; existing results are replaced.
        opacity: share of the colours in the overlays, 0 to 1.

    Returns:
        The images that could not be read.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"--opacity {opacity}: expected 0 to 1")
    out_dir = Path(out_dir)
    palette = np.asarray(predictor.palette, np.uint8)
    failed = []
    console = Console(stderr=True)
    for source in track(images, "infer", console=console, disable=not sys.stderr.isatty()):
        try:
            image = read_image(source.path, predictor.exif)
        except (OSError, UnidentifiedImageError, ValueError) as error:
            console.print(f"skipped {source.path}: not a readable image ({error})", markup=False, soft_wrap=True)
            failed.append(source.path)
            continue
        train_ids = predictor(image)
        mask = Image.fromarray(train_ids).convert("P")
        mask.putpalette(palette.tobytes())
        with atomic_path(out_dir / "pred" / f"{source.name}.png") as temporary:
            mask.save(temporary)
        with atomic_path(out_dir / "vis" / f"{source.name}.jpg") as temporary:
            Image.fromarray(drawing.overlay(image, train_ids, palette, opacity)).save(temporary, quality=90)
    print(f"{len(images) - len(failed)} of {len(images)} images segmented: {out_dir}/vis, {out_dir}/pred")
    if predictor.exif == "ignore":
        print("EXIF orientation of photographs: ignored, as in the training set")
    if failed:
        print(f"{len(failed)} could not be read, first {failed[0]}", file=sys.stderr)
    return failed


def read_image(path: Path, exif: str = "apply") -> np.ndarray:
    """Read a photograph: RGB, uint8, shape (height, width, 3); Pillow, since OpenCV accepts truncated files.

    Args:
        path: of the photograph.
        exif: `apply` turns it upright by its EXIF orientation, `ignore` takes it as stored.
    """
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image) if exif == "apply" else image
        return np.asarray(upright.convert("RGB"))
