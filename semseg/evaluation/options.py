"""Options of an evaluation: one dataclass for each feature, from which the flags of `tools/test.py` are made.

The modules of the features import PyTorch; this module does not, so that `--help` is fast. A field without `option`
belongs to another feature, or is set by `for_testing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semseg.config.options import option


@dataclass(frozen=True)
class NoOptions:
    """No options: a feature of every evaluation."""


@dataclass(frozen=True)
class WeightsOptions:
    """The weights that are evaluated.

    Attributes:
        checkpoint: file of the weights.
        content: content of the file.
    """

    checkpoint: Path
    content: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class ClassMapOptions(WeightsOptions):
    """Mapping of classes."""

    map_path: str | Path | None = option(
        flag="--map", metavar="FILE", help="YAML lines 'class of the model: class of the data set, or ignore'"
    )


@dataclass(frozen=True)
class ScoresOptions:
    """Additional scores."""

    extras: str | None = option(
        metavar="NAMES",
        help="additional breakdowns: boundary,trimap,sizes,rows,calibration or all",
    )
    absent: str | None = option(
        choices=["zero", "leave-out"],
        help="a class that is predicted, but not in the truth: count its IoU as 0 (default, as in MMSegmentation), or"
        " leave it out of the mean",
    )
    tta: bool = False


@dataclass(frozen=True)
class ResultsOptions:
    """Result files."""

    checkpoint: Path
    slices_path: str | Path | None = option(
        flag="--slices",
        metavar="FILE",
        help="CSV file: a column 'image', and columns to group the scores by, such as weather or time",
    )
    tta: bool = False


@dataclass(frozen=True)
class PredictionsOptions:
    """Outputs for each image."""

    out_dir: str | Path | None = option(
        flag="--out", metavar="DIR", help="write the predicted train ids to DIR, as PNG"
    )
    show_dir: str | Path | None = option(
        metavar="DIR", help="write a picture of each image to DIR: photograph, truth, prediction, error map"
    )


@dataclass(frozen=True)
class TtaOptions:
    """Test-time augmentation."""

    tta: bool = option(False, action="store_true", help="average the scores of several scales and flips")


@dataclass(frozen=True)
class FoldersOptions:
    """The masks."""

    roi_dir: str | Path | None = option(
        flag="--roi", metavar="DIR", help="a mask for each picture: only pixels count where it is not 0"
    )
    classes: str | Path | None = option(
        metavar="FILE",
        help="a list of classes in the order of their values, or a dataset.yaml, whose rules read the targets"
        " (default: background and object for masks of two values, else a class for each value)",
    )
    like_targets: bool = option(
        False,
        action="store_true",
        help="with a dataset.yaml: the predictions are stored as the targets are (default: as train ids, which infer"
        " and test write)",
    )
    prediction_suffix: Sequence[str] = option(
        (), nargs="+", action="extend", metavar="END", help="end of the names of predictions, such as _manual2.gif"
    )
    target_suffix: Sequence[str] = option(
        (), nargs="+", action="extend", metavar="END", help="end of the names of targets, such as _manual1.gif"
    )
    roi_suffix: Sequence[str] = option(
        (), nargs="+", action="extend", metavar="END", help="end of the names in --roi, such as _mask.gif"
    )
    out_dir: str | Path | None = option(
        flag="--out", metavar="DIR", help="write results.json, tables and masks to DIR, as test does, for report"
    )


ALL = (ClassMapOptions, ScoresOptions, ResultsOptions, PredictionsOptions, TtaOptions)
"""All options with flags, in the order of `tools/test.py --help`."""
