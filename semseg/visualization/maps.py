"""Draw maps of one number per pixel; maps and pictures are NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

_DPI = 120


def draw_heat_sheet(
    values: Mapping[str, np.ndarray],
    title: str,
    scale: str,
    colormap: str,
    image: np.ndarray | None = None,
    region: np.ndarray | None = None,
) -> np.ndarray:
    """Draw maps side by side in colours, with one colour bar from 0 to 1.

    Args:
        values: {caption: map}, each map float, shape (height, width), 0 to 1.
        title: one line above the maps.
        scale: label of the colour bar.
        colormap: name of a colormap of Matplotlib, such as `viridis`.
        image: a photograph that is drawn under the colours; RGB, uint8, shape (height, width, 3).
        region: is outlined on every map; bool, shape (height, width).

    Returns:
        RGB, uint8, shape (as high as needed, about 1600, 3); 1100 wide for a single map.
    """
    height, width = next(iter(values.values())).shape
    num_columns = min(len(values), 4 if len(values) > 6 else 3 if len(values) > 2 else 2)
    num_rows = math.ceil(len(values) / num_columns)
    sheet_width = 1100 / _DPI if len(values) == 1 else 1600 / _DPI
    cell_width = (sheet_width - 0.9) / num_columns
    cell_height = min(cell_width * height / width, 1.5 * cell_width)
    figure = Figure(figsize=(sheet_width, 0.45 + num_rows * (cell_height + 0.3)), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    bare = {"xticks": [], "yticks": [], "frame_on": False}
    panels = figure.subplots(num_rows, num_columns, squeeze=False, subplot_kw=bare).ravel()
    shrink = min(1.0, 1.5 * cell_width * _DPI / width)  # more pixels than the sheet has would be lost
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    colors = ScalarMappable(Normalize(0, 1), colormap)
    for axes, (caption, map_) in zip(panels, values.items(), strict=False):
        picture = colors.to_rgba(cv2.resize(map_, size, interpolation=cv2.INTER_AREA))[..., :3]
        if image is not None:
            grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
            picture = 0.55 * picture + 0.45 * grey[..., None] / 255
        picture = np.round(picture * 255).astype(np.uint8)
        if region is not None:
            small = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            picture = outline_region(picture, small.astype(bool))
        axes.imshow(picture)
        axes.set_title(caption, loc="left", fontsize=9)
    for axes in panels[len(values) :]:
        axes.set_axis_off()
    bar = figure.colorbar(colors, ax=panels, fraction=0.03, pad=0.01, label=scale)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def outline_region(image: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Draw a white line with a dark rim around a region.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        region: bool, shape (height, width).

    Returns:
        RGB, uint8, shape (height, width, 3); a new array.
    """
    contours, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width_px = max(1, max(image.shape[:2]) // 500)
    image = np.ascontiguousarray(image).copy()
    for color, thickness in ((0, 0, 0), 3 * width_px), ((255, 255, 255), width_px):
        cv2.drawContours(image, contours, -1, color, thickness)
    return image
