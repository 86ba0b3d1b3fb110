"""Compute the size of a picture after the resizing steps of a pipeline, by MMCV's rule and without the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from semseg.errors import InvalidDataError

Size = tuple[int, int]  # width, height


class TooNarrowError(InvalidDataError):
    """An image is so narrow that a pipeline would scale it to no pixel."""

    code = "E-data-too-narrow"


def find_resizes(node: Any) -> Iterator[Mapping]:
    """Yield the steps of a pipeline and its branches that scale a picture in proportion to its size."""
    if isinstance(node, Mapping):
        kind = str(node.get("type")).rpartition(".")[2]
        if kind in ("Resize", "RandomResize", "RandomChoiceResize") and (
            node.get("keep_ratio") or node.get("scale_factor") is not None
        ):
            yield node
        node = list(node.values())
    for child in node if isinstance(node, (list, tuple)) else ():
        yield from find_resizes(child)


def smallest_size(size: Size, step: Mapping) -> Size:
    """Return the smallest size that a step of `find_resizes` may give a picture.

    A very narrow picture may lose its last pixel: 3000x1 becomes 256x0.
    """
    width, height = size
    if step.get("scale_factor") is not None:
        factors = _pair(step["scale_factor"])
        return int(width * factors[0] + 0.5), int(height * factors[1] + 0.5)
    scales = step["scales"] if isinstance(step.get("scales"), list) else [step.get("scales", step.get("scale"))]
    if isinstance(scales[0], (list, tuple)) and isinstance(scales[0][0], (list, tuple)):
        scales = scales[0]  # RandomResize between two
    ratio = min(step.get("ratio_range") or (1,))
    sizes = []
    for scale in scales:
        if isinstance(scale, int) and "scales" in step:  # RandomChoiceResize uses an integer as a factor
            factor = scale
        else:
            long, short = (int(side * ratio) for side in (max(_pair(scale)), min(_pair(scale))))
            factor = min(long / max(size), short / min(size))
        sizes.append((int(width * factor + 0.5), int(height * factor + 0.5)))
    return min(sizes, key=min)


def _pair(value: Any) -> tuple:
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)
