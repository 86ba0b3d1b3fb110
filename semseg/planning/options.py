"""The options of a plan: a dataclass, from which the flags of `semseg plan` are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semseg.config.options import option


@dataclass(frozen=True)
class PlanOptions:
    """The plan."""

    out: Path = option(
        Path("plan.py"),
        type=Path,
        metavar="CONFIG",
        help="config file to write; its fingerprint is written beside it (default: %(default)s)",
    )
    minutes: float = option(
        20.0, type=float, metavar="M", help="the training with its validations takes M minutes (default: %(default)g)"
    )
    device: str = option(
        "auto", choices=["auto", "cpu", "cuda"], help="train on a GPU if there is one (auto), or on this device"
    )
    pretrained: Path | None = option(
        type=Path,
        metavar="FILE",
        help="weights of a ResNet-18 (v1c) to start from; default: the file in the cache of PyTorch, if there is one",
    )
