"""Write ONNX files."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semseg.inference.exported_predictor import INPUT, METADATA_KEY, OUTPUTS


def write_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    """Write a traced network as ONNX, without a description."""
    import onnx

    with torch.no_grad(), quiet():
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
    onnx.save(model, path)


def describe_onnx(path: Path, facts: Mapping[str, Any]) -> None:
    """Write the description into the metadata of a file."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(facts)})
    onnx.save(model, path)


def quantize_onnx(path: Path, calibration: Sequence[np.ndarray]) -> None:
    """Quantize the convolutions of an ONNX file to 8-bit integers, except the last one, which computes the scores.

    Args:
        path: of the file; replaced.
        calibration: images, RGB, uint8, shape (height, width, 3).
    """
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
    with quiet():
        quantization.quantize_static(
            model,
            path,
            Reader(),
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[-1:],
            per_channel=True,
            extra_options={"ActivationSymmetric": False},
        )


@contextmanager
def quiet() -> Generator[None]:
    """Suppress the log lines, the warnings, and what the exporters print to stderr before they raise."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
