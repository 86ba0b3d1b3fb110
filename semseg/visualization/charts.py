"""Draw numbers as charts, which are returned as arrays of pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

_GREY = "0.45"
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito, "Color Universal Design" (2008): distinct for colour-blind people. Yellow is left out: too faint."""
_DASHES = ("-", "--", ":", "-.")


def draw_class_shares(
    shares: Sequence[float],
    image_shares: Sequence[float],
    classes: Sequence[str],
    palette: Sequence,
    ignored_share: float,
    title: str,
) -> np.ndarray:
    """Draw the share of each class in a set, as horizontal bars in the colours of the classes.

    On the left is the share of the labelled pixels, on a square-root scale, so that rare classes can be seen; on the
    right is the share of the images in which the class occurs. The most frequent class is at the top, the ignored
    pixels are at the bottom.

    Args:
        shares: of the labelled pixels, 0 to 1, shape (num_classes,).
        image_shares: of the images, 0 to 1, shape (num_classes,).
        classes: names, in the order of their train ids.
        palette: RGB, 0 to 255, shape (num_classes, 3).
        ignored_share: of all pixels, 0 to 1.
        title: one line above the chart.

    Returns:
        RGB, uint8, shape (height, width, 3).
    """
    order = sorted(range(len(classes)), key=lambda i: -shares[i])
    positions = list(range(len(order)))
    figure = Figure(figsize=(10, 1.3 + 0.27 * (len(order) + 1.5)), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    pixels, images = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))

    colors = [np.divide(palette[i], 255) for i in order]
    bars = {"height": 0.72, "color": colors, "edgecolor": _GREY, "linewidth": 0.5}
    pixels.barh(positions, [shares[i] for i in order], **bars)
    images.barh(positions, [image_shares[i] for i in order], **bars)
    last = len(order) + 0.5  # a gap, then the ignored pixels
    pixels.barh([last], [ignored_share], height=0.72, color="0.9", edgecolor=_GREY, hatch="////", linewidth=0.5)
    for position, i in zip(positions, order, strict=True):
        _annotate(pixels, shares[i], position, _format_percent(shares[i]) if shares[i] else "does not occur")
        _annotate(images, image_shares[i], position, f"{image_shares[i] * 100:.0f} %")
    _annotate(pixels, ignored_share, last, f"{_format_percent(ignored_share)} of all pixels")

    longest = max([*shares, ignored_share, 0.01])
    pixels.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    pixels.set_xlim(0, min(1.3, longest * 1.35))  # room for the number behind the longest bar
    ticks = [t for t in (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1) if 0.01 < t / longest < 1.1]
    pixels.xaxis.set_major_locator(FixedLocator([0, *ticks]))
    pixels.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x * 100:g} %"))
    pixels.set_yticks([*positions, last], [*(classes[i] for i in order), "ignored"])
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


def draw_curves(lines: Mapping[str, Mapping[str, tuple]]) -> np.ndarray:
    """Draw scalars over the iterations: one panel per key, one line per run.

    Args:
        lines: {key: {run: (iterations, values, averages of the values or None)}}. If there are averages, they are the
            line, and the values are drawn faintly behind it. Curves of up to 25 points have markers.

    Returns:
        RGB, uint8, shape (height, width, 3).
    """
    names = list(dict.fromkeys(name for runs in lines.values() for name in runs))
    num_columns = 1 if len(lines) == 1 else 2 if len(lines) <= 8 else 4
    num_rows = math.ceil(len(lines) / num_columns)
    figure = Figure(figsize=(9 if num_columns == 1 else 12, 0.9 + 2.9 * num_rows), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(num_rows, num_columns, sharex=True, squeeze=False).ravel()
    handles = {}
    for axes, (key, runs) in zip(panels, lines.items(), strict=False):
        for name, (iterations, values, averages) in runs.items():
            number = names.index(name)
            style = {
                "color": LINE_COLORS[number % len(LINE_COLORS)],
                "linestyle": _DASHES[number // len(LINE_COLORS) % len(_DASHES)],
            }
            if averages is not None:
                axes.plot(iterations, values, alpha=0.25, linewidth=0.8, **style)
            marker = "o" if len(values) <= 25 else None
            drawn = values if averages is None else averages
            (handles[name],) = axes.plot(iterations, drawn, linewidth=1.6, marker=marker, markersize=3.5, **style)
        axes.set_title(key, loc="left", fontsize=11)
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, color="0.6", labelbottom=True)
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.ticklabel_format(axis="y", scilimits=(-4, 6))
    for axes in panels[len(lines) :]:
        axes.remove()
    for axes in panels[max(0, len(lines) - num_columns) : len(lines)]:
        axes.set_xlabel("iterations", fontsize=9)
    figure.legend(handles.values(), handles, loc="outside upper left", ncols=1, frameon=False, fontsize=9)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def draw_scatter(points: Mapping[str, tuple], x_title: str, y_title: str, title: str) -> np.ndarray:
    """Draw two numbers of every image against each other.

    Args:
        points: {group: (x, y)}, each of shape (num_images,); points with nan are left out.
        x_title: label of the horizontal axis.
        y_title: label of the vertical axis.
        title: above the chart; may have several lines.

    Returns:
        RGB, uint8, shape (height, width, 3).
    """
    figure = Figure(figsize=(7.2, 5), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    for number, (name, (x, y)) in enumerate(points.items()):
        if np.isfinite(y).any():
            axes.scatter(
                x, y, s=26, alpha=0.8, color=LINE_COLORS[number], marker="os^D"[number % 4], label=name, linewidths=0
            )
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x_title, fontsize=9)
    axes.set_ylabel(y_title, fontsize=9)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, color="0.6")
    axes.legend(frameon=False, fontsize=9)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def draw_tradeoff(
    groups: Mapping[str, tuple[Mapping[str, Sequence[float]], Sequence[float], Sequence[str]]],
) -> np.ndarray:
    """Draw scores against costs: one row per group, one panel per cost, with a logarithmic axis for the costs.

    Points that no other one of their group beats at the same or a lower cost are coloured, connected and named.

    Args:
        groups: {title of the scores: (costs, scores, names)}, where costs are {title: values}; all values, scores and
            names have the shape (n,). A higher score is better. The titles of the costs are the same in all groups.

    Returns:
        RGB, uint8, shape (height, width, 3).
    """
    num_columns = len(next(iter(groups.values()))[0])
    figure = Figure(figsize=(6.2 * num_columns, 4.8 * len(groups)), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    rows = figure.subplots(len(groups), num_columns, squeeze=False)
    for panels, (score_title, (costs, scores, names)) in zip(rows, groups.items(), strict=True):
        for axes, (title, values) in zip(panels, costs.items(), strict=True):
            best: list[int] = []
            for i in sorted(range(len(values)), key=lambda i: (values[i], -scores[i])):
                if not best or scores[i] > scores[best[-1]]:
                    best.append(i)
            axes.scatter(values, scores, s=22, color="0.72", linewidths=0)
            axes.plot(
                [values[i] for i in best], [scores[i] for i in best], color=LINE_COLORS[0], marker="o", markersize=5
            )
            for i in best:
                axes.annotate(names[i], (values[i], scores[i]), (5, -9), textcoords="offset points", fontsize=7)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axes.set_xlabel(title, fontsize=9)
            axes.set_ylabel(score_title, fontsize=9)
            axes.margins(x=0.12)
            axes.grid(color="0.92")
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8, color="0.6")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _annotate(axes: Any, value: float, position: float, text: str) -> None:
    axes.annotate(text, (value, position), (4, 0), textcoords="offset points", va="center", fontsize=8)


def _format_percent(share: float) -> str:
    """Write a share with two significant digits: 38 %, 4.0 %, 0.032 %."""
    return f"{share * 100:#.2g} %".replace(". ", " ").replace("1.0e+02", "100") if share else "0 %"
