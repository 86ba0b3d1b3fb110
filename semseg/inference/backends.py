"""Which runtime predicts: PyTorch, or an exported file that was made from the same checkpoint and lies beside it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config

from semseg.checkpoints.fingerprint import file_fingerprint
from semseg.checkpoints.plain import plain
from semseg.checkpoints.reading import checkpoint_stem
from semseg.config.options import FAST
from semseg.errors import InvalidInputError, MissingInputError
from semseg.inference.exported_predictor import ExportedPredictor
from semseg.inference.onnx_predictor import OnnxPredictor
from semseg.inference.openvino_predictor import OpenVinoPredictor
from semseg.inference.options import BACKENDS, SegmenterOptions
from semseg.inference.pipeline import read_test_pipeline

_RUNTIMES: dict[str, type[ExportedPredictor]] = {".onnx": OnnxPredictor, ".xml": OpenVinoPredictor}


class Choice(NamedTuple):
    """What predicts.

    Attributes:
        predictor: of an exported file; None: PyTorch.
        reason: a sentence for the user.
    """

    predictor: ExportedPredictor | None
    reason: str


def open_exported(path: str | Path, device: str | None = None, bits: int | None = None) -> ExportedPredictor:
    """Open an exported file with the runtime that its suffix stands for; see `ExportedPredictor`."""
    runtime = _RUNTIMES.get(Path(path).suffix.lower())
    if runtime is None:
        raise InvalidInputError(
            f"{path} is not loaded: an archive of torch.export can run code; export it as ONNX or OpenVINO",
            code="E-input-exported-file",
        )
    return runtime(path, device, bits)


def model_fingerprint(cfg: Config) -> str:
    """Return the SHA-256 of what a config says of the model and of the images that it gets.

    Args:
        cfg: from `for_inference`.
    """
    steps, exif, bits, bands = read_test_pipeline(cfg)
    parts = {"model": cfg.model.to_dict(), "steps": [dict(step) for step in steps], "exif": exif, "bits": bits}
    parts |= {"bands": bands.step()} if bands is not None else {}
    return hashlib.sha256(json.dumps(plain(parts), sort_keys=True).encode()).hexdigest()


def choose_backend(checkpoint: Path, cfg: Config, options: SegmenterOptions) -> Choice:
    """Choose what predicts with a checkpoint, for a `backend` other than torch.

    A file is used if its name begins with that of the checkpoint, if it was exported from this very checkpoint and
    config, and if it agreed with PyTorch then. `auto` takes the one that was fastest when it was exported, if it was
    faster than PyTorch; and PyTorch, if there is none or if an option needs it.

    Args:
        checkpoint: path of the file.
        cfg: from `for_inference`.
        options: of a `Segmenter`.

    Raises:
        FileNotFoundError: `backend` names a runtime, and there is no such file.
        ValueError: an option has no effect with this runtime, or the file cannot be opened.
    """
    is_auto = options.backend == "auto"
    needing = _options_for_torch(options)
    if is_auto and options.device is None and torch.cuda.is_available():
        needing.append("the GPU")
    if needing and is_auto:
        return Choice(None, f"backend: torch, because of {', '.join(needing)}")
    if needing:
        raise InvalidInputError(
            f"`backend` {options.backend} has no use for {', '.join(needing)}: leave it out", code="E-input-no-effect"
        )
    candidates, faults = _candidates(checkpoint, cfg, options)
    if not candidates and is_auto:
        if not faults:
            faults = ["no exported file of this checkpoint lies beside it (tools/model.py export)"]
        return Choice(None, f"backend: torch, because {'; '.join(faults)}")
    if not candidates:
        raise MissingInputError(
            f"`backend` {options.backend}: no file in {checkpoint.parent} was exported from {checkpoint.name}"
            f"{' (' + '; '.join(faults) + ')' if faults else ''}; run tools/model.py export first",
            code="E-input-missing",
        )
    # a file for any size first: times of different sizes cannot be compared
    times, predictor = max(candidates, key=lambda candidate: (not candidate[1].facts["size"], candidate[0]))
    facts = predictor.facts
    found = f"{predictor.path.name} ({facts['precision']}) was {times:g} times as fast as PyTorch when it was exported"
    if is_auto and times <= 1:
        return Choice(None, f"backend: torch, because {found}")
    return Choice(predictor, f"backend: {predictor.backend}, because {found}; {_describe_gate(facts['gate'])}")


def _options_for_torch(options: SegmenterOptions) -> list[str]:
    """Return the given options that only PyTorch can do."""
    given = [f"`{name}`" for name in ("tta", "tile", "compile", "plugins") if getattr(options, name)]
    if options.performance != FAST:
        given.append("`performance`")
    if options.device not in (None, "cpu"):
        given.append(f"`device` {options.device}")
    return given


def _candidates(
    checkpoint: Path, cfg: Config, options: SegmenterOptions
) -> tuple[list[tuple[float, ExportedPredictor]], list[str]]:
    """Open the exported files of a checkpoint.

    Returns:
        Each with how many times as fast as PyTorch it was; and why other files are not used.
    """
    belongs = re.compile(re.escape(checkpoint_stem(checkpoint)) + "[._-]").match  # iter_1, not iter_10
    suffixes = BACKENDS[options.backend]
    paths = [path for path in checkpoint.parent.iterdir() if belongs(path.name) and path.suffix in suffixes]
    candidates, faults = [], []
    digests = (
        {"checkpoint_sha256": file_fingerprint(checkpoint), "model_sha256": model_fingerprint(cfg)} if paths else {}
    )
    for path in sorted(paths):
        try:
            predictor = open_exported(path, "cpu", options.bits)
        except (ValueError, OSError) as error:
            faults.append(f"{path.name} cannot be used: {error}")
            continue
        facts: dict[str, Any] = predictor.facts
        gate, speed = facts.get("gate"), facts.get("speed")
        times = speed.get("times_as_fast") if isinstance(speed, dict) else None
        if any(facts.get(name) != digest for name, digest in digests.items()):
            faults.append(f"{path.name} was exported from another checkpoint or config")
        elif not isinstance(gate, dict) or gate.get("passed") is not True or not isinstance(times, (int, float)):
            faults.append(f"{path.name} does not say that it agrees with PyTorch")
        elif options.backend == "auto" and facts["size"]:
            faults.append(f"{path.name} is for images of {facts['size'][1]} x {facts['size'][0]} pixels only")
        elif options.precision not in ("auto", facts["precision"]):
            faults.append(f"{path.name} is {facts['precision']}")
        else:
            candidates.append((float(times), predictor))
    return candidates, faults


def _describe_gate(gate: dict[str, Any]) -> str:
    """Describe what the comparison with PyTorch found."""
    if isinstance(gate.get("mIoU"), (int, float)) and isinstance(gate.get("mIoU_torch"), (int, float)):
        return f"mIoU {gate['mIoU']:.2f} % instead of {gate['mIoU_torch']:.2f} % on {gate.get('images')} images"
    return f"{gate.get('equal_percent')} % of the pixels agreed on {gate.get('images')} images"
