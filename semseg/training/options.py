"""The options of a training: one dataclass for each feature, from which the flags of `tools/train.py` are made.

The modules of the features import PyTorch; this module does not, so that `--help` is fast. A field without `option`
belongs to another feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semseg.config.options import FAST, STOCK, duration_s, option


@dataclass(frozen=True)
class NoOptions:
    """No options: a feature of every run."""


@dataclass(frozen=True)
class PerformanceOptions:
    """Equality with MMSegmentation."""

    performance: str = option(
        FAST,
        choices=[FAST, STOCK],
        help="stock: the numbers of MMSegmentation's own tools/train.py, bit for bit; see docs/fidelity.md",
    )
    epochs: int | None = None
    cfg_options: Sequence[str] = ()


@dataclass(frozen=True)
class StockOptions:
    """Whether a run has the numbers of MMSegmentation, without the features that change them."""

    performance: str = FAST


@dataclass(frozen=True)
class LoadingOptions:
    """Loading of the samples."""

    packed: str | None = option(
        metavar="DIR",
        help="read training samples from this packed set, which tools/dataset.py pack has written; a folder, or an"
        " address such as s3://bucket/town",
    )
    performance: str = FAST


@dataclass(frozen=True)
class ResumeOptions:
    """Where a run starts."""

    resume: str | None = option(
        nargs="?",
        const="newest",
        metavar="CHECKPOINT",
        help="continue from CHECKPOINT, or the newest valid one in the work dir; auto: if there is one",
    )
    load_from: str | None = option(
        metavar="CHECKPOINT", help="start from these weights; if the classes differ, they are matched by name"
    )
    performance: str = FAST


@dataclass(frozen=True)
class FreezeOptions:
    """Frozen parts of the model."""

    freeze: Sequence[str] = option(
        (), nargs="+", metavar="PART", help="parts of the model to freeze, such as backbone or backbone.layer1"
    )


@dataclass(frozen=True)
class PrecisionOptions:
    """Precision and reproducibility."""

    amp: bool = option(False, action="store_true", help="mixed precision (float16 on a GPU, bfloat16 on a CPU)")
    deterministic: bool = option(
        False, action="store_true", help="same weights for the same seed, also on a GPU; slower"
    )
    performance: str = FAST


@dataclass(frozen=True)
class LossOptions:
    """Losses and class weights."""

    loss: str | None = option(
        choices=["ce", "ohem", "focal", "dice", "lovasz"],
        help="loss of the decode head; dice and lovasz are added to the cross entropy (ce)",
    )
    class_weight: str | None = option(
        metavar="auto[:FORMULA]",
        help="compute class weights from the training masks: median-frequency, enet, inverse or sqrt-inverse",
    )
    check: bool = True


@dataclass(frozen=True)
class RareCropsOptions:
    """Crops around rare classes."""

    rare_crops: float | None = option(
        type=float, metavar="SHARE", help="crop this share of the samples, such as 0.5, around rare classes"
    )


@dataclass(frozen=True)
class EpochsOptions:
    """Length of a run."""

    epochs: int | None = option(
        type=int, metavar="N", help="train for N passes over the training set, instead of the length in the config"
    )
    overfit: int | None = None
    cfg_options: Sequence[str] = ()
    performance: str = FAST


@dataclass(frozen=True)
class BatchOptions:
    """Batch size."""

    accumulate: str | None = option(
        metavar="N", help="accumulate gradients over N batches; auto: up to the batch size of the recipe"
    )
    scale_lr: bool = option(
        True,
        flag="--no-scale-lr",
        action="store_true",
        help="do not scale the learning rate if the batch size differs from the recipe",
    )
    overfit: int | None = None
    cfg_options: Sequence[str] = ()
    performance: str = FAST


@dataclass(frozen=True)
class MonitorOptions:
    """Monitored score and early stopping."""

    early_stop: int | None = option(
        type=int, metavar="PATIENCE", help="stop after PATIENCE validations in a row without a new best score"
    )
    monitor: str | None = option(
        metavar="METRIC", help="the score for early stopping and for the best checkpoint, such as IoU/person"
    )


@dataclass(frozen=True)
class ValLossOptions:
    """Validation loss."""

    val_loss: bool = option(
        False, action="store_true", help="also log the cross entropy of the predictions at full size, as val/loss"
    )


@dataclass(frozen=True)
class EmaOptions:
    """Averaged weights."""

    ema: float | None = option(
        nargs="?",
        type=float,
        const=0.0002,
        metavar="MOMENTUM",
        help="validate and save weights averaged over the last sixteenth of the run",
    )


@dataclass(frozen=True)
class OverfitOptions:
    """Sanity check of the set-up."""

    overfit: int | None = option(
        type=int, metavar="N", help="sanity check: overfit N images; exit code 1 if that fails"
    )
    early_stop: int | None = None
    monitor: str | None = None
    val_loss: bool = False
    ema: float | None = None
    rare_crops: float | None = None
    accumulate: str | None = None
    epochs: int | None = None
    cfg_options: Sequence[str] = ()
    performance: str = FAST


def _split_names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@dataclass(frozen=True)
class TrackOptions:
    """Experiment trackers."""

    track: Sequence[str] = option(
        (),
        type=_split_names,
        action="extend",
        metavar="TRACKER",
        help="also log to these experiment trackers: mlflow, wandb, clearml, aim (repeatable, or separated by commas)",
    )


@dataclass(frozen=True)
class FolderOptions:
    """The folder of a run, and the run that it continues."""

    resume: str | None = None
    cfg_options: Sequence[str] = ()


@dataclass(frozen=True)
class StoppingOptions:
    """Time limit."""

    max_time_s: float | None = option(
        flag="--max-time", type=duration_s, metavar="3h", help="save and stop after this time (1h30m, 90s)"
    )


@dataclass(frozen=True)
class FoldOptions:
    """Cross-validation."""

    folds: int | None = option(
        type=int,
        metavar="N",
        help="divide the training set into N folds by groups of related pictures, train N models one after the other,"
        " and test each on the fold that it has not seen; the same command goes on where it was interrupted",
    )
    fold: int | None = option(type=int, metavar="K", help="train only fold K, from 1, without the test")
    group_by: str | None = option(
        metavar="RULE",
        help="auto, folder, prefix or regex:PATTERN, as for data split, or picture: each picture is a group; default:"
        " auto if it finds groups, else picture",
    )
    out_of_fold: str | None = option(
        metavar="DIR", help="write the train ids that each model predicts for the fold it has not seen to DIR"
    )


@dataclass(frozen=True)
class PreflightOptions:
    """Checks before the first iteration."""

    check: bool = option(
        True, flag="--no-check", action="store_true", help="skip the checks of data, machine and recipe"
    )
    dry_run: bool = option(
        False, action="store_true", help="run these checks and one training step, and exit: code 0, or 2 on failure"
    )
    performance: str = FAST


ALL = (
    ResumeOptions,
    FreezeOptions,
    PrecisionOptions,
    LossOptions,
    RareCropsOptions,
    LoadingOptions,
    EpochsOptions,
    BatchOptions,
    MonitorOptions,
    ValLossOptions,
    EmaOptions,
    OverfitOptions,
    TrackOptions,
    StoppingOptions,
    PreflightOptions,
    PerformanceOptions,
)
"""All options with flags, in the order of `tools/train.py --help`."""
