"""Measure how long a model takes for one picture on a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semseg.datasets.image_files import read_image
from semseg.inference.predictor import Predictor
from semseg.inference.segmenter import Segmenter

_NUM_WARM_UPS, _NUM_REPEATS, _MAX_S = 2, 15, 20.0


def measure_latency(checkpoint: Path, photograph: Path, exif: str = "apply", bits: int | None = None) -> dict[str, Any]:
    """Return the latency of a checkpoint for one photograph, from the decoded picture to its classes, on a CPU.

    Args:
        checkpoint: that describes itself.
        photograph: any picture of the set.
        exif, bits: how the set stores its photographs, see `read_image`.

    Returns:
        `seconds` (median), `repeats`, `size` (height and width of the photograph, px), `threads`, `precision`.
    """
    segment = Segmenter(checkpoint, device="cpu")
    assert isinstance(segment.predictor, Predictor)  # no exported model
    predict = _predict_with(segment, photograph, exif, bits)
    size = predict()
    for _ in range(_NUM_WARM_UPS - 1):
        predict()
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < _NUM_REPEATS and (not times or time.perf_counter() - started < _MAX_S):
        start = time.perf_counter()
        predict()
        times.append(time.perf_counter() - start)
    return {
        "seconds": float(np.median(times)),
        "repeats": len(times),
        "size": list(size),
        "threads": torch.get_num_threads(),
        "precision": segment.predictor.precision,
    }


def _predict_with(segment: Segmenter, photograph: Path, exif: str, bits: int | None) -> Callable[[], tuple[int, int]]:
    """Return a function that segments the decoded picture, and returns its height and width."""
    bands = segment.predictor.bands
    if bands is not None:
        picture = bands.read(photograph, exif).image
        return lambda: segment.predictor.predict([picture])[0].train_ids.shape
    image = read_image(photograph, exif, bits)
    return lambda: segment(image, confidence=False).train_ids.shape
