"""Export a model as one file for other runtimes; the file is only kept if its predictions agree with PyTorch's."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from semseg.checkpoints.description import description_of
from semseg.checkpoints.plain import plain
from semseg.errors import InvalidInputError
from semseg.export.traceable import Traceable
from semseg.inference.onnx_predictor import INPUT, METADATA_KEY, OUTPUTS, SCHEMA, OnnxPredictor, require_packages
from semseg.inference.predictor import Predictor
from semseg.system.atomic import atomic_path

SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2"}
REQUIRED = {"fp32": 0.999, "fp16": 0.995, "int8": 0.95}
"""Smallest share of the pixels with the same class as in PyTorch, by precision."""


class Exported(NamedTuple):
    """A file that was written.

    Attributes:
        agreement: share of the pixels with the same class as PyTorch's, of each image.
        facts: the description in the file.
    """

    agreement: list[float]
    facts: dict[str, Any]


class Disagreement(Exception):
    """The predictions of the file differ too much from PyTorch's; the file was not kept."""


def facts_of(predictor: Predictor, content: Mapping[str, Any], checkpoint: str | Path) -> dict[str, Any]:
    """Return the description of a model that is stored in the file: plain data.

    Args:
        predictor: the model.
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
) -> Exported:
    """Write a model as one file, if the predictions of the file agree with PyTorch's.

    Args:
        predictor: the model in PyTorch.
        facts: from `facts_of`.
        out: the file; replaced.
        kind: `onnx` or `torch-export`.
        images: to compare on; RGB, uint8, shape (height, width, 3).
        network: of the predictor's model, in the data type of the precision.
        size: (height, width) of all images; None for any size.
        precision: `fp32`, `fp16`, or `int8` (of ONNX only).
        calibration: images from which the ranges of the numbers are measured, for int8.

    Raises:
        ValueError: a package is not installed, or the model cannot be exported with these arguments.
        Disagreement: fewer pixels agree than REQUIRED; no file is written.
    """
    if kind == "onnx":
        require_packages("onnx", "onnxscript", "onnxruntime")
    if network.slides and size is None:
        raise InvalidInputError(
            "this model uses sliding windows, whose number depends on the size: give `size` H,W",
            code="E-input-export",
        )
    facts = {**facts, "precision": precision, "size": size and list(size)}
    program = trace(network, size)
    with atomic_path(out) as temporary:
        if kind == "torch-export":
            torch.export.save(program, temporary, extra_files={f"{METADATA_KEY}.json": json.dumps(facts)})
            run = _load_program(temporary)
        else:
            write_onnx(program, facts, temporary)
            if precision == "int8":
                quantize(temporary, facts, calibration)
            run = OnnxPredictor(temporary, "cpu")
        agreement = [float((predictor(image) == run(image)).mean()) for image in images]
        overall = float(np.average(agreement, weights=[image.size for image in images]))
        if overall < REQUIRED[precision]:
            raise Disagreement(
                f"{out} is not kept: it agrees with PyTorch in {100 * overall:.2f} % of the pixels of {len(images)}"
                f" images, expected {100 * REQUIRED[precision]:g} % in {precision}"
            )
    return Exported(agreement, facts)


def trace(network: Traceable, size: tuple[int, int] | None) -> torch.export.ExportedProgram:
    """Trace a network, for any number of images, and for any size unless one is given.

    Raises:
        ValueError: it has operations that cannot be traced.
    """
    any_size = torch.export.Dim.DYNAMIC
    axes = {0: any_size} if size else {0: any_size, 2: any_size, 3: any_size}
    example = torch.zeros(2, 3, *(size or (192, 320)), dtype=torch.uint8)
    with torch.no_grad(), _quiet():
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


def write_onnx(program: torch.export.ExportedProgram, facts: Mapping[str, Any], path: Path) -> None:
    """Write a traced network as ONNX, with its description in the metadata."""
    import onnx

    with torch.no_grad(), _quiet():
        onnx_program = torch.onnx.export(
            program, (), dynamo=True, verbose=False, input_names=[INPUT], output_names=list(OUTPUTS)
        )
    assert onnx_program is not None  # with dynamo=True
    model = onnx_program.model_proto
    for part in (model.graph, *model.functions):
        for node in part.node:
            del node.metadata_props[:]  # the source code of the node
            node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        names = ("N", None, "height", "width") if value.name == INPUT else ("N", "height", "width")
        for dimension, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
            if dimension.dim_param and name:
                dimension.dim_param = name
        del value.metadata_props[:]
    del model.graph.metadata_props[:], model.graph.value_info[:]  # sizes by their old names
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(facts)})
    onnx.save(model, path)


def quantize(path: Path, facts: Mapping[str, Any], calibration: Sequence[np.ndarray]) -> None:
    """Quantize the convolutions of an ONNX file to 8-bit integers, except the last one, which computes the scores.

    Args:
        path: of the file; replaced.
        facts: for its metadata.
        calibration: images, RGB, uint8, shape (height, width, 3).

    Raises:
        ValueError: there are no images.
    """
    if not calibration:
        raise InvalidInputError(
            "int8 needs photographs from which the ranges of numbers are measured: `images` DIR", code="E-input-export"
        )
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter(calibration)

        # None is how this class of ONNX Runtime ends, which its annotation does not say
        def get_next(self) -> dict[str, np.ndarray] | None:  # pyrefly: ignore[bad-override]
            image = next(self.images, None)
            return None if image is None else {INPUT: np.ascontiguousarray(image.transpose(2, 0, 1)[None])}

    model = onnx.load(path)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    with _quiet():
        quantization.quantize_static(
            model,
            path,
            Reader(),
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[-1:],
            per_channel=True,
            extra_options={"ActivationSymmetric": False},
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(facts)})
    onnx.save(model, path)


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


@contextmanager
def _quiet() -> Generator[None]:
    """Suppress the log lines, the warnings, and what the exporters print to stderr before they raise."""
    import warnings

    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
