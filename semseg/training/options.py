"""What a training can be asked for: one dataclass for each feature, which makes the flags of `tools/train.py`.

They are not beside the code of the features, which needs PyTorch: `--help` answers without. A field without `option` is
one of another feature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from semseg.config.options import duration_s, option


@dataclass(frozen=True)
class NoOptions:
    """Of a feature that every run has."""


@dataclass(frozen=True)
class ResumeOptions:
    """Where a run starts."""

    resume: str | None = option(
        nargs="?",
        const="newest",
        metavar="CHECKPOINT",
        help="continue this one, or the newest good one in the work dir; auto: if any",
    )
    load_from: str | None = option(
        metavar="CHECKPOINT", help="start from these weights; other classes keep their rows by name"
    )


@dataclass(frozen=True)
class FreezeOptions:
    """Parts of the model that don't learn."""

    freeze: Sequence[str] = option(
        (), nargs="+", metavar="PART", help="parts of the model that don't learn, such as backbone or backbone.layer1"
    )


@dataclass(frozen=True)
class PrecisionOptions:
    """Number formats, and whether two runs are the same."""

    amp: bool = option(False, action="store_true", help="mixed precision (float16 on a GPU, bfloat16 on a CPU)")
    deterministic: bool = option(False, action="store_true", help="same seed, same weights, also on a GPU; slower")


@dataclass(frozen=True)
class LossOptions:
    """Losses, and what each class weighs in them."""

    loss: str | None = option(
        choices=["ce", "ohem", "focal", "dice", "lovasz"],
        help="of the decode head; dice and lovasz are added to the cross entropy (ce)",
    )
    class_weight: str | None = option(
        metavar="auto[:FORMULA]",
        help="from the training masks: median-frequency, enet, inverse or sqrt-inverse",
    )


@dataclass(frozen=True)
class RareCropsOptions:
    """Crops around rare classes."""

    rare_crops: float | None = option(
        type=float, metavar="SHARE", help="this share of the samples, such as 0.5, is cropped around rare classes"
    )


@dataclass(frozen=True)
class EpochsOptions:
    """How long a run is."""

    epochs: int | None = option(
        type=int, metavar="N", help="train so many passes over the training set, whatever the config says"
    )
    overfit: int | None = None
    cfg_options: Sequence[str] = ()


@dataclass(frozen=True)
class BatchOptions:
    """The batch against the batch of the recipe."""

    accumulate: str | None = option(
        metavar="N", help="batches that make an update; auto: as many as the recipe's batch needs"
    )
    scale_lr: bool = option(
        True,
        flag="--no-scale-lr",
        action="store_true",
        help="keep the learning rate of the recipe on a batch of another size",
    )
    overfit: int | None = None
    cfg_options: Sequence[str] = ()


@dataclass(frozen=True)
class MonitorOptions:
    """The score that a run is judged by."""

    early_stop: int | None = option(
        type=int, metavar="PATIENCE", help="stop after so many validations in a row without a new best score"
    )
    monitor: str | None = option(
        metavar="METRIC", help="the score that decides that and the best checkpoint, such as IoU/person"
    )


@dataclass(frozen=True)
class ValLossOptions:
    """A loss on the validation set."""

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
    """A sanity check of the set-up."""

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


@dataclass(frozen=True)
class FolderOptions:
    """The folder of a run, and the run that it continues."""

    resume: str | None = None


@dataclass(frozen=True)
class StoppingOptions:
    """When a run ends early."""

    max_time_s: float | None = option(
        flag="--max-time", type=duration_s, metavar="3h", help="save and stop after so long (1h30m, 90s)"
    )


@dataclass(frozen=True)
class PreflightOptions:
    """The trial before the first iteration."""

    check: bool = option(
        True, flag="--no-check", action="store_true", help="go on without a look at data, machine and recipe"
    )
    dry_run: bool = option(False, action="store_true", help="check all of that, try one step, and end: 0, or 2")


ALL = (
    ResumeOptions,
    FreezeOptions,
    PrecisionOptions,
    LossOptions,
    RareCropsOptions,
    EpochsOptions,
    BatchOptions,
    MonitorOptions,
    ValLossOptions,
    EmaOptions,
    OverfitOptions,
    StoppingOptions,
    PreflightOptions,
)
"""In the order of `tools/train.py --help`."""
