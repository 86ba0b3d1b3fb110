"""Draw predictions on photographs; pictures are NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semseg.errors import InvalidInputError


class Sample(NamedTuple):
    """A picture with its truth and its name.

    Attributes:
        image: RGB, uint8, shape (height, width, 3).
        train_ids: uint8, shape (height, width); values without a class, such as 255, are ignored.
        name: shown under the picture.
    """

    image: np.ndarray
    train_ids: np.ndarray
    name: str


def to_uint8(shares: np.ndarray) -> np.ndarray:
    """Convert numbers from 0 to 1 to grey levels: times 255, rounded, uint8, in the same shape."""
    return np.rint(255 * shares).astype(np.uint8)


def overlay(image: np.ndarray, train_ids: np.ndarray, palette: Sequence, opacity: float = 0.5) -> np.ndarray:
    """Blend class colours over a photograph.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        train_ids: uint8, shape (height, width); values without a colour (255, ignored) stay uncoloured.
        palette: RGB, 0 to 255, shape (num_classes, 3).
        opacity: share of the colour, 0 to 1; 0 returns the photograph.

    Returns:
        RGB, uint8, shape (height, width, 3); a new array.

    Raises:
        ValueError: the two sizes differ.
    """
    if image.shape[:2] != train_ids.shape:
        raise InvalidInputError(
            f"image {image.shape[:2]} and train ids {train_ids.shape} differ in size (height, width)",
            code="E-input-sizes",
        )
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(palette), 0] = palette
    blended = cv2.addWeighted(image, 1 - opacity, cv2.applyColorMap(train_ids, table), opacity, 0)
    uncoloured = train_ids >= len(palette)
    return cv2.copyTo(image, uncoloured.view(np.uint8), blended)


def outline(image: np.ndarray, train_ids: np.ndarray) -> np.ndarray:
    """Draw the borders between classes, white on black.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        train_ids: uint8, shape (height, width).

    Returns:
        RGB, uint8, shape (height, width, 3); a new array.
    """
    thickness_px = max(1, min(train_ids.shape) // 512)
    around, line = (np.ones((2 * radius + 1,) * 2, np.uint8) for radius in (2 * thickness_px, thickness_px))
    drawn = image.copy()
    drawn[cv2.morphologyEx(train_ids, cv2.MORPH_GRADIENT, around) > 0] = 0
    drawn[cv2.morphologyEx(train_ids, cv2.MORPH_GRADIENT, line) > 0] = 255
    return drawn


def hatch(image: np.ndarray, marked: np.ndarray, period_px: int = 10) -> np.ndarray:
    """Darken the marked pixels and draw thin stripes over them.

    Args:
        image: RGB, uint8, shape (height, width, 3), or grey, shape (height, width).
        marked: bool, shape (height, width).
        period_px: distance between two stripes, along a row.

    Returns:
        uint8, in the shape of the image; a new array.
    """
    height, width = marked.shape
    columns = np.arange(period_px)[:, None] + np.arange(width)
    striped = (columns % period_px < max(1, period_px // 6))[np.arange(height) % period_px]
    hatched = image.copy()
    hatched[marked] = image[marked] // 3
    hatched[marked & striped] = 200
    return hatched


def add_legend(picture: np.ndarray, train_ids: np.ndarray, classes: Sequence[str], palette: Sequence) -> np.ndarray:
    """Add a legend of the classes that occur below a picture.

    Args:
        picture: RGB, uint8, shape (height, width, 3).
        train_ids: of its pixels, uint8, shape (height, width); values without a name, such as 255, are left out.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).

    Returns:
        RGB, uint8, shape (height of both, width, 3).
    """
    present = [int(i) for i in np.flatnonzero(np.bincount(train_ids.ravel())) if i < len(classes)]
    names, colors = [classes[i] for i in present], [palette[i] for i in present]
    width = picture.shape[1]
    return np.vstack([picture, draw_legend(names, colors, width, font_px=max(10, width // 80))])


def draw_legend(
    classes: Sequence[str], palette: Sequence, width: int, font_px: int = 14, ignored: bool = False
) -> np.ndarray:
    """Draw colour chips with class names, in as many rows as needed.

    Args:
        classes: names.
        palette: RGB, shape (num_classes, 3).
        width: of the legend, in pixels.
        font_px: height of a line of text.
        ignored: add a hatched chip for ignored pixels.

    Returns:
        RGB, uint8, shape (height, width, 3), on white.
    """
    font = ImageFont.load_default(font_px)
    pad, chip = font_px // 2, font_px
    places, x, y = [], pad, pad
    names = [*classes, "ignored"] if ignored else classes
    for name in names:
        item_width = chip + pad + int(font.getlength(name)) + 2 * pad
        if x + item_width > width and x > pad:
            x, y = pad, y + chip + pad
        places.append((x, y))
        x += item_width
    image = Image.new("RGB", (width, y + chip + pad), "white")
    draw = ImageDraw.Draw(image)
    for (x, y), color in zip(places, palette, strict=not ignored):
        color = tuple(int(c) for c in color)
        draw.rectangle((x, y, x + chip, y + chip), fill=color, outline=(160, 160, 160))  # so that white can be seen
    if ignored:
        grey = np.full((chip + 1, chip + 1, 3), 120, np.uint8)
        image.paste(Image.fromarray(hatch(grey, np.ones(grey.shape[:2], bool), chip // 2)), places[-1])
    for (x, y), name in zip(places, names, strict=True):
        draw.text((x + chip + pad, y + chip // 2), name, fill="black", font=font, anchor="lm")
    return np.asarray(image)


def draw_contact_sheet(
    samples: Sequence[Sample],
    classes: Sequence[str],
    palette: Sequence,
    title: str,
    width: int = 1600,
    opacity: float = 0.55,
) -> np.ndarray:
    """Draw samples side by side, with their classes over the pictures, and a legend of the classes that occur.

    Args:
        samples: at least one; up to four are in one row.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        title: one line above the samples.
        width: of the sheet, in pixels.
        opacity: share of the colours, 0 to 1.

    Returns:
        RGB, uint8, shape (as high as it needs, width, 3), on white.

    Raises:
        ValueError: there is no sample, or the sizes of image and train ids differ.
    """
    if not samples:
        raise InvalidInputError("a contact sheet needs at least one sample", code="E-input-empty")
    font_px, gap = 16, 12
    num_columns = math.ceil(len(samples) / math.ceil(len(samples) / 4))  # rows of equal length, if possible
    cell_width = (width - gap) // num_columns - gap
    # the tallest picture sets the height of every cell
    cell_height = max(
        round(cell_width * min(1.5, height / width)) for height, width in (sample.train_ids.shape for sample in samples)
    )
    num_rows = math.ceil(len(samples) / num_columns)
    row_height = cell_height + font_px + 2 * gap
    head_height = 2 * gap + font_px
    sheet = Image.new("RGB", (width, head_height + num_rows * row_height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(font_px - 2)
    draw.text((gap, head_height // 2), title, fill="black", font=ImageFont.load_default(font_px), anchor="lm")
    for number, sample in enumerate(samples):
        row, column = divmod(number, num_columns)
        x, y = gap + column * (cell_width + gap), head_height + row * row_height
        picture = _draw_sample(sample, palette, (cell_width, cell_height), opacity)
        height, width_ = picture.shape[:2]
        left, top = x + (cell_width - width_) // 2, y + (cell_height - height) // 2
        sheet.paste(Image.fromarray(picture), (left, top))
        name = _shorten(sample.name, font, cell_width)
        caption = (x + cell_width // 2, y + cell_height + gap // 2 + font_px // 2)
        draw.text(caption, name, fill=(60, 60, 60), font=font, anchor="mm")
    values = {int(value) for sample in samples for value in np.unique(sample.train_ids)}
    present = sorted(value for value in values if value < len(palette))
    names, colors = [classes[i] for i in present], [palette[i] for i in present]
    indent = gap - font_px // 2  # a legend has its own margin
    foot = draw_legend(names, colors, width - indent, font_px, ignored=len(values) > len(present))
    return np.vstack([np.asarray(sheet), np.pad(foot, ((0, 0), (indent, 0), (0, 0)), constant_values=255)])


def _draw_sample(sample: Sample, palette: Sequence, box: tuple[int, int], opacity: float) -> np.ndarray:
    """Return the overlay of a sample, scaled to fit into a box (width, height)."""
    height, width = sample.train_ids.shape
    scale = min(box[0] / width, box[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture, train_ids = sample.image, cv2.resize(sample.train_ids, size, interpolation=cv2.INTER_NEAREST)
    if scale >= 1:  # for sharp edges, the colours are added after enlarging, or before shrinking
        picture = overlay(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), train_ids, palette, opacity)
    else:
        picture = overlay(picture, sample.train_ids, palette, opacity)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return hatch(picture, train_ids >= len(palette))


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Replace the middle of a name by dots until it fits into a width in pixels."""
    for num_kept in range(len(text), 1, -1):
        short = text if num_kept == len(text) else f"{text[: num_kept // 2]}...{text[-(num_kept // 2) :]}"
        if font.getlength(short) <= width:
            return short
    return ""
