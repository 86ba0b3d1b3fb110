"""Write OpenVINO models: `model.xml`, and its weights in `model.bin`."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from semseg.compat.signal_stack import keep_signal_stack
from semseg.compat.telemetry import no_telemetry
from semseg.export.onnx_file import quiet
from semseg.inference.exported_predictor import METADATA_KEY
from semseg.inference.openvino_predictor import parse


def write_openvino(onnx_path: Path, path: Path, calibration: Sequence[np.ndarray] | None) -> None:
    """Convert an ONNX file to an OpenVINO model without a description; the weights stay fp32.

    Args:
        onnx_path: of the ONNX file.
        path: of the first half; both are replaced.
        calibration: images, RGB, uint8, shape (height, width, 3), to quantize the model to 8-bit integers, up to the
            last convolution, which computes the scores; None: leave it as it is.
    """
    with no_telemetry(), keep_signal_stack():
        import openvino

        model = openvino.Core().read_model(onnx_path)
        if calibration is not None:
            model = _quantized(model, calibration)
        openvino.save_model(model, path, compress_to_fp16=False)


def describe_openvino(path: Path, facts: Mapping[str, Any]) -> None:
    """Write the description into the first half of a model, with the SHA-256 of the second half."""
    digest = hashlib.sha256(path.with_suffix(".bin").read_bytes()).hexdigest()
    root = parse(path.read_bytes())
    about = root.find("rt_info")
    if about is None:
        about = ElementTree.SubElement(root, "rt_info")
    element = about.find(METADATA_KEY)
    if element is None:
        element = ElementTree.SubElement(about, METADATA_KEY)
    element.set("value", json.dumps({**facts, "weights_sha256": digest}))
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _quantized(model: Any, calibration: Sequence[np.ndarray]) -> Any:
    with quiet(), redirect_stdout(io.StringIO()):  # progress bars
        import nncf

        nncf.set_log_level(logging.ERROR)
        return nncf.quantize(
            model,
            nncf.Dataset([np.ascontiguousarray(image.transpose(2, 0, 1)[None]) for image in calibration]),
            subset_size=len(calibration),
            ignored_scope=nncf.IgnoredScope(names=_names_from_last_convolution(model), validate=False),
        )


def _names_from_last_convolution(model: Any) -> list[str]:
    """Return the names of the last convolution, which computes the scores, and of what follows it."""
    operations = model.get_ordered_ops()
    waiting = [operation for operation in operations if operation.get_type_name() == "Convolution"][-1:]
    found: dict[str, Any] = {}
    while waiting:
        operation = waiting.pop()
        if operation.get_friendly_name() not in found:
            found[operation.get_friendly_name()] = operation
            waiting += [port.get_node() for output in operation.outputs() for port in output.get_target_inputs()]
    return [*found]
