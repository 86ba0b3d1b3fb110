"""Facts about a region of interest and the part of a mask inside it, to be cached as those of `file_facts`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from semseg.datasets.file_facts import ORIENTATION, READ_ERRORS, MaskFacts, count_values, format_reason, open_image
from semseg.datasets.image_files import grey_gif
from semseg.datasets.roi import decode_roi
from semseg.errors import InvalidDataError


class RoiFacts(NamedTuple):
    """Facts about a region of interest.

    Attributes:
        problem: why it cannot be read; empty: it can.
        width, height: of the pixels as stored.
        orientation: EXIF, 1 to 8.
        num_inside: number of pixels inside.
        fits: whether its mask has the same size and orientation; False without mask.
        values, counts: those of `MaskFacts`, of the pixels of the mask inside the region; empty if it does not fit.
    """

    problem: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    num_inside: int = 0
    fits: bool = False
    values: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()


def read_roi_facts(roi_path: Path, mask_path: Path | None) -> RoiFacts:
    """Read a region of interest, and count the values of its mask inside. Pillow decodes them, as in training."""
    try:
        with open_image(roi_path) as image:
            image.load()
            inside = decode_roi(grey_gif(image), "it")
            facts = RoiFacts(
                width=image.width,
                height=image.height,
                orientation=image.getexif().get(ORIENTATION, 1),
                num_inside=int(inside.sum()),
            )
    except InvalidDataError as error:
        return RoiFacts(problem=str(error))
    except (*READ_ERRORS, Image.DecompressionBombError) as error:
        return RoiFacts(problem=format_reason(error))
    if mask_path is None:
        return facts
    try:
        with open_image(mask_path) as mask:
            mask.load()
            mask = grey_gif(mask)
            if mask.size != (facts.width, facts.height) or mask.getexif().get(ORIENTATION, 1) != facts.orientation:
                return facts
            pixels = np.asarray(mask if len(mask.getbands()) == 1 else mask.convert("RGB"))[inside]
    except (*READ_ERRORS, Image.DecompressionBombError):  # the facts of the mask say why
        return facts
    values, counts, _ = count_values(Image.fromarray(pixels[None])) if len(pixels) else ((), (), 0)
    return facts._replace(fits=True, values=values, counts=counts)


def take_inside(mask: MaskFacts, roi: RoiFacts) -> MaskFacts | None:
    """Return the facts of a mask with the values and counts inside its region of interest.

    None: the facts do not say it, because one of the two cannot be read, they differ in size or orientation, or the
    mask has very many colours.
    """
    if mask.problem or roi.problem or not roi.fits or (roi.num_inside and not roi.values):
        return None
    return mask._replace(values=roi.values, counts=roi.counts)
