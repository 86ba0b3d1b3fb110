"""Draw panels that compare a prediction with its truth; pictures are NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semseg.errors import InvalidInputError
from semseg.visualization import drawing

WRONG = (213, 94, 0)
"""Vermilion of Okabe and Ito, RGB: distinct from grey for all kinds of colour vision."""


def draw_truth_and_prediction(
    image: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    palette: Sequence,
    opacity: float = 0.6,
) -> np.ndarray:
    """Draw the truth on the left and the prediction on the right, both over the photograph, with a legend below.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        target: train ids, uint8, shape (height, width); 255 (ignored) stays uncoloured.
        predicted: train ids, uint8, shape (height, width).
        classes: names, in the order of their train ids; the legend shows those that occur.
        palette: RGB, shape (num_classes, 3).
        opacity: share of the colours, 0 to 1.

    Returns:
        RGB, uint8, shape (a bit more than height, 2 * width + a gap, 3).
    """
    tiles = {
        "truth": drawing.overlay(image, target, palette, opacity),
        "prediction": drawing.overlay(image, predicted, palette, opacity),
    }
    present = _find_present(target, predicted, num_classes=len(classes))
    return _arrange(tiles, [classes[i] for i in present], [palette[i] for i in present])


def draw_panel(
    image: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    palette: Sequence,
    opacity: float = 0.6,
) -> np.ndarray:
    """Draw photograph, truth, prediction and error map, two by two, in full size.

    The arguments are those of `draw_truth_and_prediction`. The caption of the error map says how much is wrong.

    Returns:
        RGB, uint8, shape (a bit more than 2 * height, 2 * width + a gap, 3).
    """
    tiles = {
        "photograph": image,
        "truth": drawing.overlay(image, target, palette, opacity),
        "prediction": drawing.overlay(image, predicted, palette, opacity),
        format_error_caption(target, predicted, len(classes)): draw_error_map(image, target, predicted, len(classes)),
    }
    present = _find_present(target, predicted, num_classes=len(classes))
    names, colors = [classes[i] for i in present], [palette[i] for i in present]
    return _arrange(tiles, [*names, "wrong"], [*colors, WRONG], ignored=bool((target >= len(classes)).any()))


def draw_error_map(image: np.ndarray, target: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Draw wrong pixels over a faint grey photograph; ignored pixels are dark and hatched.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        target: train ids, uint8, shape (height, width); values from `num_classes` on are ignored.
        predicted: train ids, uint8, shape (height, width); values from `num_classes` on are no class, and wrong.
        num_classes: number of classes.

    Returns:
        RGB, uint8, shape (height, width, 3).

    Raises:
        ValueError: the sizes differ.
    """
    if image.shape[:2] != target.shape or target.shape != predicted.shape:
        sizes = f"image {image.shape[:2]}, truth {target.shape} and prediction {predicted.shape}"
        raise InvalidInputError(f"{sizes} differ in size (height, width)", code="E-input-sizes")
    faint = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), alpha=0.4, beta=140)
    shades = drawing.hatch(faint, target >= num_classes, period_px=max(6, len(target) // 64))
    shades[_find_wrong(target, predicted, num_classes)] = 255  # no other pixel has 255, and the table gives it a colour
    table = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    table[255] = WRONG
    return cv2.applyColorMap(shades, table)


def format_error_caption(target: np.ndarray, predicted: np.ndarray, num_classes: int) -> str:
    """Say how much is wrong; the arguments are those of `draw_error_map`."""
    num_labelled = np.count_nonzero(target < num_classes)
    if not num_labelled:
        return "wrong: nothing is labelled"
    num_wrong = np.count_nonzero(_find_wrong(target, predicted, num_classes))
    return f"wrong: {100 * num_wrong / num_labelled:.1f} % of the labelled pixels"


def _find_wrong(target: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    return (target != predicted) & (target < num_classes)


def _find_present(*maps: np.ndarray, num_classes: int) -> list[int]:
    """Return the train ids that occur in one of the maps."""
    counts = np.sum([cv2.calcHist([train_ids], [0], None, [256], [0, 256]) for train_ids in maps], axis=0)
    return [i for i in range(num_classes) if counts[i]]


def _arrange(tiles: dict[str, np.ndarray], names: Sequence[str], colors: Sequence, ignored: bool = False) -> np.ndarray:
    """Arrange pictures of one size in two columns, each with a caption above it, and a legend below all of them."""
    height, width = next(iter(tiles.values())).shape[:2]
    font_px, gap = max(12, width // 40), max(2, width // 128)
    full_width, row_height = 2 * width + gap, 2 * font_px + height
    foot = drawing.draw_legend(names, colors, full_width, font_px, ignored)
    sheet = np.full((len(tiles) // 2 * row_height + len(foot), full_width, 3), 255, np.uint8)
    font = ImageFont.load_default(font_px)
    for number, (caption, tile) in enumerate(tiles.items()):
        top, left = number // 2 * row_height, number % 2 * (width + gap)
        head = Image.new("RGB", (width, 2 * font_px), "white")
        ImageDraw.Draw(head).text((font_px // 2, font_px), caption, fill="black", font=font, anchor="lm")
        sheet[top : top + 2 * font_px, left : left + width] = head
        sheet[top + 2 * font_px : top + row_height, left : left + width] = tile
    sheet[-len(foot) :] = foot
    return sheet
