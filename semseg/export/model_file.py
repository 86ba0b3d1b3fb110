"""Export a model as a file for other runtimes; it is only kept if its predictions agree with PyTorch's."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config

from semseg.checkpoints.description import description_of
from semseg.checkpoints.facts import hardware
from semseg.checkpoints.fingerprint import file_fingerprint
from semseg.checkpoints.plain import plain
from semseg.errors import InvalidInputError
from semseg.export.gate import Verdict, judge
from semseg.export.onnx_file import describe_onnx, quantize_onnx, quiet, write_onnx
from semseg.export.openvino_file import describe_openvino, write_openvino
from semseg.export.traceable import Traceable
from semseg.inference.backends import model_fingerprint, open_exported
from semseg.inference.exported_predictor import METADATA_KEY, SCHEMA, ExportedPredictor, require_packages
from semseg.inference.predictor import Predictor
from semseg.labels import IGNORED
from semseg.system.atomic import atomic_path
from semseg.visualization.drawing import Sample

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2"}
PRECISIONS = {
    "onnx": ("fp32", "fp16", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
    "torch-export": ("fp32", "fp16"),
}
_NUM_ROUNDS = 3
"""How often one image is predicted to measure the speed."""


class Exported(NamedTuple):
    """A file that was written.

    Attributes:
        verdict: of the comparison with PyTorch.
        facts: the description in the file.
    """

    verdict: Verdict
    facts: dict[str, Any]


class Disagreement(Exception):
    """The predictions of the file differ too much from PyTorch's; the file was not kept."""


def facts_of(predictor: Predictor, cfg: Config, content: Mapping[str, Any], checkpoint: str | Path) -> dict[str, Any]:
    """Return the description of a model that is stored in the file: plain data.

    Args:
        predictor: the model.
        cfg: that it was built from.
        content: of the checkpoint.
        checkpoint: its path.
    """
    description = description_of(content, checkpoint)
    prepare: Any = predictor.model.data_preprocessor
    normalizes = prepare._enable_normalize
    return {
        "schema": SCHEMA,
        "classes": list(predictor.classes),
        "palette": plain([list(map(int, colour)) for colour in predictor.palette]),
        "exif": predictor.exif,
        "bits": predictor.bits,
        "input": "RGB, uint8, (N, 3, height, width); not normalized: the file does that",
        "outputs": {
            "train_ids": "uint8, (N, height, width)",
            "confidence": "float32, (N, height, width): probability of the class, 0 to 1",
        },
        "mean": _rounded(prepare.mean) if normalizes else None,
        "std": _rounded(prepare.std) if normalizes else None,
        "config": description.get("config_file") and Path(description["config_file"]).stem,
        "iteration": description.get("iteration"),
        "checkpoint": Path(checkpoint).name,
        "checkpoint_sha256": file_fingerprint(checkpoint),
        "model_sha256": model_fingerprint(cfg),
        "data_sha256": (description.get("data") or {}).get("sha256"),
        "versions": plain(description.get("versions")),
    }


def export(
    predictor: Predictor,
    facts: Mapping[str, Any],
    out: Path,
    kind: str,
    images: Sequence[np.ndarray],
    *,
    network: Traceable,
    size: tuple[int, int] | None = None,
    precision: str = "fp32",
    calibration: Sequence[np.ndarray] = (),
    labelled: Iterable[Sample] = (),
    rival: Predictor | None = None,
) -> Exported:
    """Write a model as a file, if the predictions of the file agree with PyTorch's; see `judge`.

    An OpenVINO model has two files: `out`, and the weights beside it, whose name ends with `.bin`.

    Args:
        predictor: the model in PyTorch, in fp32.
        facts: from `facts_of`.
        out: the file; replaced.
        kind: `onnx`, `openvino` or `torch-export`.
        images: to compare on; RGB, uint8, shape (height, width, 3).
        network: of the predictor's model, in the data type of the precision.
        size: (height, width) of all images; None for any size.
        precision: one of PRECISIONS of this kind.
        calibration: images from which the ranges of the numbers are measured, for int8.
        labelled: images with labels to compare the scores of int8 on; they replace `images` then.
        rival: the model as PyTorch predicts fastest, whose time for an image is compared; default: `predictor`.

    Raises:
        ValueError: a package is not installed, or the model cannot be exported with these arguments.
        Disagreement: the predictions differ too much; no file is written.
    """
    check_kind(kind, precision)
    if network.slides and size is None:
        raise InvalidInputError(
            "this model uses sliding windows, whose number depends on the size: give `size` H,W",
            code="E-input-export",
        )
    if precision == "int8" and not calibration:
        raise InvalidInputError(
            "int8 needs photographs from which the ranges of numbers are measured: `images` DIR", code="E-input-export"
        )
    weights_path = out.with_suffix(".bin")
    if kind == "openvino" and weights_path.exists() and not out.exists():
        raise InvalidInputError(
            f"{weights_path} exists without {out.name}, and would be replaced; choose another name",
            code="E-input-export",
        )
    scale = list(network.scale) if network.scale and network.keep_ratio else None
    facts = {**facts, "precision": precision, "size": size and list(size), "scale": scale}
    program = trace(network, size)
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(atomic_path(out))
        if kind == "openvino":  # its weights are renamed first: until the other half is, the halves are refused
            stack.enter_context(atomic_path(weights_path))
        run = _write(program, facts, temporary, kind, calibration if precision == "int8" else None)
        pictures = labelled if precision == "int8" and labelled else [_unlabelled(image) for image in images]
        verdict = judge(predictor, run, pictures, precision)
        if not verdict.passed:
            raise Disagreement(f"{out} is not kept: {verdict.sentence}")
        if isinstance(run, ExportedPredictor):
            facts = {**facts, "gate": verdict.facts, "speed": _compare_speed(rival or predictor, run, images[0])}
            _DESCRIBE[kind](temporary, facts)
    return Exported(verdict, facts)


def check_kind(kind: str, precision: str) -> None:
    """Raise a ValueError unless this kind of file has this precision, and the packages that write it are installed."""
    if precision not in PRECISIONS[kind]:
        fitting = " or ".join(name for name, precisions in PRECISIONS.items() if precision in precisions)
        raise InvalidInputError(f"`precision` {precision} is for `format` {fitting} only", code="E-input-no-effect")
    if kind == "onnx":
        require_packages("onnx", "onnxscript", "onnxruntime")
    if kind == "openvino":
        packages = ["openvino", "onnx", "onnxscript", *(["nncf"] if precision == "int8" else [])]
        require_packages(*packages, extra="openvino")


_DESCRIBE = {"onnx": describe_onnx, "openvino": describe_openvino}


def _write(
    program: torch.export.ExportedProgram,
    facts: Mapping[str, Any],
    path: Path,
    kind: str,
    calibration: Sequence[np.ndarray] | None,
) -> Callable[[np.ndarray], np.ndarray]:
    """Write a traced network, quantized if there is `calibration`; return what predicts an image with the file."""
    if kind == "torch-export":
        buffer = io.BytesIO()  # PyTorch's own writer does not say why it failed
        torch.export.save(program, buffer, extra_files={f"{METADATA_KEY}.json": json.dumps(facts)})
        path.write_bytes(buffer.getbuffer())
        return _load_program(path)
    if kind == "onnx":
        write_onnx(program, path)
        if calibration is not None:
            quantize_onnx(path, calibration)
    else:
        onnx_path = path.with_suffix(".onnx")
        try:
            write_onnx(program, onnx_path)
            write_openvino(onnx_path, path, calibration)
        finally:
            onnx_path.unlink(missing_ok=True)
    _DESCRIBE[kind](path, facts)
    return open_exported(path, "cpu")


def _unlabelled(image: np.ndarray) -> Sample:
    return Sample(image, np.full(image.shape[:2], IGNORED, np.uint8), "")


def _compare_speed(rival: Predictor, run: ExportedPredictor, image: np.ndarray) -> dict[str, Any]:
    """Measure how many times as fast as PyTorch a file predicts one image on this machine; both run in turns."""
    best_s = [float("inf")] * 2
    for number in range(1 + _NUM_ROUNDS):
        for index, predictor in enumerate((rival, run)):
            start_s = time.perf_counter()
            predictor.predict([image], confidence=True)
            if number:  # the first round warms up
                best_s[index] = min(best_s[index], time.perf_counter() - start_s)
    return {
        "times_as_fast": round(best_s[0] / best_s[1], 2),
        "torch_precision": rival.precision,
        "size": list(image.shape[:2]),
        "cpu": hardware()["cpu"],
        "threads": torch.get_num_threads(),
    }


def trace(network: Traceable, size: tuple[int, int] | None) -> torch.export.ExportedProgram:
    """Trace a network, for any number of images, and for any size unless one is given.

    Raises:
        ValueError: it has operations that cannot be traced.
    """
    any_size = torch.export.Dim.DYNAMIC
    axes = {0: any_size} if size else {0: any_size, 2: any_size, 3: any_size}
    example = torch.zeros(2, 3, *(size or (192, 320)), dtype=torch.uint8)
    with torch.no_grad(), quiet():
        try:
            program = torch.export.export(network.eval(), (example,), dynamic_shapes=(axes,), strict=False)
        except Exception as error:  # models raise many types; the first line has the cause
            hint = "" if size else "; try a fixed one, `size` H,W"
            cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InvalidInputError(
                f"the model cannot be exported for {size or 'any size'}{hint}: {cause}", code="E-input-export"
            ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # contains paths of this machine
    return program


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 4) for value in values.flatten().tolist()]


def _load_program(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that runs an archive which this process has just written.

    Archives from elsewhere must not be loaded, because loading them can run code.
    """
    module = torch.export.load(path).module()

    def run(image: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(np.array(image.transpose(2, 0, 1)[None])))[0][0].numpy()

    return run
