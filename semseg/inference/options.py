"""Options of a `Segmenter`: its keyword arguments, and the flags of `tools/infer.py` and `tools/serve.py`.

This module does not import PyTorch, so that `--help` is fast. A field without `option` is an argument of `Segmenter`
only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semseg.config.options import FAST, STOCK, PluginOptions, option

BACKENDS = {"torch": (), "auto": (".onnx", ".xml"), "onnx": (".onnx",), "openvino": (".xml",)}
"""Suffixes of the exported files that a value of `backend` may use."""
EXPORTED_SUFFIXES = (".onnx", ".xml", ".pt2")
"""Suffixes of exported models; the last one is refused, because loading it can run code."""


def is_exported(path: str | Path) -> bool:
    """Return whether a path names an exported model, by its suffix."""
    return str(path).lower().endswith(EXPORTED_SUFFIXES)


@dataclass(frozen=True)
class ModelOptions(PluginOptions):
    """How the model is opened."""

    data: str | Path | None = option(metavar="FILE", help="the dataset.yaml that the model was trained on, if any")
    device: str | None = option(help="device, such as cuda:1 or cpu; default: the GPU if there is one")
    bits: int | None = option(
        type=int,
        metavar="N",
        help="number of used bits in photographs that store 16, such as 12; default: as in the training set",
    )
    cfg_options: Sequence[str] = option(
        (), nargs="+", action="extend", metavar="KEY=VALUE", help="override config values"
    )
    trust_checkpoint: bool = option(False, action="store_true", help="load the file even if it contains code; runs it")


@dataclass(frozen=True)
class PredictionOptions:
    """How the model predicts."""

    precision: str = option(
        "auto",
        choices=["auto", "fp32", "bf16", "fp16"],
        help="number format of the model; default: the fastest one that the hardware supports well",
    )
    backend: str = option(
        "torch",
        choices=[*BACKENDS],
        help="what computes; onnx, openvino: a file exported from the checkpoint, beside it; auto: the fastest of them"
        " that agreed with PyTorch; default: torch",
    )
    performance: str = option(
        FAST,
        choices=[FAST, STOCK],
        help="stock: the masks of MMSegmentation's inference_model, bit for bit; slower",
    )
    compile: bool = option(
        False,
        action="store_true",
        help="compile the model with torch.compile, which takes minutes; for long runs",
    )
    tta: str | None = option(
        metavar="VIEWS", help="average the scores of several views of each image: flip, or flip,0.75,1,1.25"
    )
    tile: int | None = option(type=int, metavar="PX", help="segment images at full resolution, in windows of this size")
    overlap: float = option(0.25, type=float, help="overlap of the windows, as a share; default: 0.25")


@dataclass(frozen=True)
class SegmenterOptions(PredictionOptions, ModelOptions):
    """All options of a `Segmenter`; its docstring explains them."""

    config: str | Path | None = None
    on_note: Callable[[str], None] | None = None
