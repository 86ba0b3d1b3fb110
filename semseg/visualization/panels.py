"""A prediction beside its truth: panels that a person looks at, numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from semseg.errors import InvalidInputError
from semseg.visualization import drawing

WRONG = (213, 94, 0)
"""Vermilion of Okabe and Ito, which every kind of colour vision tells from grey; RGB."""


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
        predicted: as `target`.
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
    present = _present(target, predicted, num_classes=len(classes))
    return _arranged(tiles, [classes[i] for i in present], [palette[i] for i in present])


def panel(
    image: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str],
    palette: Sequence,
    opacity: float = 0.6,
) -> np.ndarray:
    """Show where a prediction fails: photograph, truth, prediction and error map, two by two, in full size.

    The arguments are those of `truth_and_prediction`. The caption of the error map says how much is wrong.

    Returns:
        RGB, uint8, shape (a bit more than 2 * height, 2 * width + a gap, 3).
    """
    tiles = {
        "photograph": image,
        "truth": drawing.overlay(image, target, palette, opacity),
        "prediction": drawing.overlay(image, predicted, palette, opacity),
        error_caption(target, predicted, len(classes)): error_map(image, target, predicted, len(classes)),
    }
    present = _present(target, predicted, num_classes=len(classes))
    names, colors = [classes[i] for i in present], [palette[i] for i in present]
    return _arranged(tiles, [*names, "wrong"], [*colors, WRONG], ignored=bool((target >= len(classes)).any()))


def error_map(image: np.ndarray, target: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Paint what is wrong over a faint grey photograph; what is ignored is dark and hatched.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        target: train ids, uint8, shape (height, width); from num_classes on they are ignored.
        predicted: as `target`; there a prediction is of no class, and wrong.
        num_classes: of the train ids.

    Returns:
        RGB, uint8, shape (height, width, 3).

    Raises:
        ValueError: the sizes differ.
    """
    if image.shape[:2] != target.shape or target.shape != predicted.shape:
        sizes = f"image {image.shape[:2]}, truth {target.shape} and prediction {predicted.shape}"
        raise InvalidInputError(f"{sizes} differ in size (height, width)")
    faint = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), alpha=0.4, beta=140)
    shades = drawing.hatch(faint, target >= num_classes, period_px=max(6, len(target) // 64))
    shades[_wrong(target, predicted, num_classes)] = 255  # no other pixel is: the table gives it the colour
    table = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    table[255] = WRONG
    return cv2.applyColorMap(shades, table)


def error_caption(target: np.ndarray, predicted: np.ndarray, num_classes: int) -> str:
    """Say how much is wrong; the arguments are those of `error_map`."""
    num_labelled = np.count_nonzero(target < num_classes)
    if not num_labelled:
        return "wrong: nothing is labelled"
    num_wrong = np.count_nonzero(_wrong(target, predicted, num_classes))
    return f"wrong: {100 * num_wrong / num_labelled:.1f} % of the labelled pixels"


def _wrong(target: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    return (target != predicted) & (target < num_classes)


def _present(*maps: np.ndarray, num_classes: int) -> list[int]:
    """Return the train ids that occur."""
    counts = sum(cv2.calcHist([train_ids], [0], None, [256], [0, 256]) for train_ids in maps)
    return [i for i in range(num_classes) if counts[i]]


def _arranged(
    tiles: dict[str, np.ndarray], names: Sequence[str], colors: Sequence, ignored: bool = False
) -> np.ndarray:
    """Put pictures of one size in two columns, each under its caption, with a legend below."""
    height, width = next(iter(tiles.values())).shape[:2]
    font_px, gap = max(12, width // 40), max(2, width // 128)
    full_width, row_height = 2 * width + gap, 2 * font_px + height
    foot = drawing.legend(names, colors, full_width, font_px, ignored)
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
