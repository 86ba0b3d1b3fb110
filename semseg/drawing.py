"""Pictures of predictions: numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont


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
        raise ValueError(f"image {image.shape[:2]} and train ids {train_ids.shape} differ in size (height, width)")
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    blended = cv2.addWeighted(image, 1 - opacity, table[train_ids], opacity, 0)
    uncoloured = train_ids >= len(palette)
    blended[uncoloured] = image[uncoloured]
    return blended


def legend(classes: Sequence[str], palette: Sequence, width: int, font_px: int = 14) -> np.ndarray:
    """Draw colour chips with class names, in as many rows as the width needs.

    Returns:
        RGB, uint8, shape (height, width, 3), on white.
    """
    font = ImageFont.load_default(font_px)
    pad, chip = font_px // 2, font_px
    places, x, y = [], pad, pad
    for name in classes:
        item_width = chip + pad + int(font.getlength(name)) + 2 * pad
        if x + item_width > width and x > pad:
            x, y = pad, y + chip + pad
        places.append((x, y))
        x += item_width
    image = Image.new("RGB", (width, y + chip + pad), "white")
    draw = ImageDraw.Draw(image)
    for (x, y), name, color in zip(places, classes, palette, strict=True):
        draw.rectangle((x, y, x + chip, y + chip), fill=tuple(int(c) for c in color))
        draw.text((x + chip + pad, y + chip // 2), name, fill="black", font=font, anchor="lm")
    return np.asarray(image)


def truth_and_prediction(
    image: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    palette: Sequence,
    opacity: float = 0.6,
) -> np.ndarray:
    """Put the truth left and the prediction right, both over the photograph, with a legend below.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        target: train ids, uint8, shape (height, width); 255 (ignored) stays uncoloured.
        predicted: likewise.
        classes: names, in the order of their train ids; the legend shows those that occur.
        palette: RGB, shape (num_classes, 3).
        opacity: share of the colours, 0 to 1.

    Returns:
        RGB, uint8, shape (a bit more than height, 2 * width + a gap, 3).
    """
    height, width = target.shape
    font_px = max(12, width // 40)
    gap = np.full((height, max(2, width // 128), 3), 255, np.uint8)
    sides = [overlay(image, train_ids, palette, opacity) for train_ids in (target, predicted)]
    row = np.hstack([sides[0], gap, sides[1]])
    head = Image.new("RGB", (row.shape[1], 2 * font_px), "white")
    draw, font = ImageDraw.Draw(head), ImageFont.load_default(font_px)
    for x, caption in ((font_px // 2, "truth"), (width + gap.shape[1] + font_px // 2, "prediction")):
        draw.text((x, font_px), caption, fill="black", font=font, anchor="lm")
    present = sorted({*np.unique(target), *np.unique(predicted)} & set(range(len(classes))))
    foot = legend([classes[i] for i in present], [palette[i] for i in present], row.shape[1], font_px)
    return np.vstack([np.asarray(head), row, foot])
