"""What an evaluation can be asked for: one dataclass for each feature, which makes the flags of `tools/test.py`.

They are not beside the code of the features, which needs PyTorch: `--help` answers without. A field without `option` is
one of another feature, or set by `for_testing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semseg.config.options import option


@dataclass(frozen=True)
class NoOptions:
    """Of a feature that every evaluation has."""


@dataclass(frozen=True)
class WeightsOptions:
    """The weights that are evaluated.

    Attributes:
        checkpoint: their file.
        content: what it holds, read once.
    """

    checkpoint: Path
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class ClassMapOptions(WeightsOptions):
    """A model of other classes."""

    map_path: str | Path | None = option(
        flag="--map", metavar="FILE", help="YAML lines 'class of the model: class of the data set, or ignore'"
    )


@dataclass(frozen=True)
class ScoresOptions:
    """Scores beside the mean IoU."""

    extras: str | None = option(
        metavar="NAMES",
        help="count more in the same pass: boundary,trimap,sizes,rows,calibration or all",
    )
    absent: str | None = option(
        choices=["zero", "leave-out"],
        help="a class that is predicted, but not in the truth: its IoU counts as 0 (default, as in MMSegmentation), or"
        " not at all",
    )
    tta: bool = False


@dataclass(frozen=True)
class ResultsOptions:
    """What is written about the results."""

    checkpoint: Path
    slices_path: str | Path | None = option(
        flag="--slices",
        metavar="FILE",
        help="CSV: a column 'image', and others to slice the scores by (weather, time)",
    )
    tta: bool = False


@dataclass(frozen=True)
class PredictionsOptions:
    """What is written for each image."""

    out_dir: str | Path | None = option(flag="--out", metavar="DIR", help="write the predicted train ids here, as PNG")
    show_dir: str | Path | None = option(
        metavar="DIR", help="paint every image here: photograph, truth, prediction, error map"
    )


@dataclass(frozen=True)
class TtaOptions:
    """Test-time augmentation."""

    tta: bool = option(False, action="store_true", help="average over scales and flips")


ALL = (ClassMapOptions, ScoresOptions, ResultsOptions, PredictionsOptions, TtaOptions)
"""In the order of `tools/test.py --help`."""
