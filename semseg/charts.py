"""Charts: numbers in, pixels out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

_GREY = "0.45"


def class_shares(
    shares: Sequence[float],
    image_shares: Sequence[float],
    classes: Sequence[str],
    palette: Sequence,
    ignored_share: float,
    title: str,
) -> np.ndarray:
    """Draw how much of a set each class is, as horizontal bars in the colours of the classes.

    Left the share of the labelled pixels, on a square-root scale, so that rare classes still show; right the
    share of the images in which the class occurs. The most frequent class stands on top, below all of them
    the ignored pixels.

    Args:
        shares: of the labelled pixels, 0 to 1, shape (num_classes,).
        image_shares: likewise, of the images.
        classes: names.
        palette: RGB, 0 to 255, shape (num_classes, 3).
        ignored_share: of all pixels, 0 to 1.
        title: one line on top.

    Returns:
        RGB, uint8, shape (height, width, 3).
    """
    order = sorted(range(len(classes)), key=lambda i: -shares[i])
    places = np.arange(len(order))
    figure = Figure(figsize=(10, 1.3 + 0.27 * (len(order) + 1.5)), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    pixels, images = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))

    colors = [np.divide(palette[i], 255) for i in order]
    bars = {"height": 0.72, "color": colors, "edgecolor": _GREY, "linewidth": 0.5}
    pixels.barh(places, [shares[i] for i in order], **bars)
    images.barh(places, [image_shares[i] for i in order], **bars)
    last = len(order) + 0.5  # a gap, then the ignored
    pixels.barh([last], [ignored_share], height=0.72, color="0.9", edgecolor=_GREY, hatch="////", linewidth=0.5)
    for place, i in zip(places, order, strict=True):
        _note(pixels, shares[i], place, _percent(shares[i]) if shares[i] else "does not occur")
        _note(images, image_shares[i], place, f"{image_shares[i] * 100:.0f} %")
    _note(pixels, ignored_share, last, f"{_percent(ignored_share)} of all pixels")

    longest = max([*shares, ignored_share, 0.01])
    pixels.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    pixels.set_xlim(0, min(1.3, longest * 1.35))  # room for the number behind the longest bar
    ticks = [t for t in (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1) if 0.01 < t / longest < 1.1]
    pixels.xaxis.set_major_locator(FixedLocator([0, *ticks]))
    pixels.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x * 100:g} %"))
    pixels.set_yticks([*places, last], [*(classes[i] for i in order), "ignored"])
    pixels.set_ylim(last + 0.6, -0.6)
    pixels.set_xlabel("share of the labelled pixels, square-root scale")
    images.set_xlim(0, 1.3)
    images.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    images.set_xlabel("images with it")
    for axes in (pixels, images):
        axes.grid(axis="x", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="x", labelsize=8)
        axes.tick_params(axis="y", length=0)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _note(axes, value: float, place: float, text: str) -> None:
    axes.annotate(text, (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8)


def _percent(share: float) -> str:
    """Write two digits that count: 38 %, 4.0 %, 0.032 %."""
    return f"{share * 100:#.2g} %".replace(". ", " ").replace("1.0e+02", "100") if share else "0 %"
