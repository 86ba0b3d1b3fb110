"""Segment images with an exported OpenVINO model: `model.xml`, and its weights in `model.bin`.

Both halves are read here, and OpenVINO gets their bytes: it opens no file that a model names, takes the first half for
nothing but its own format, and knows only its own operators.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch

from semseg.compat.hardware import is_fast_at_bf16
from semseg.compat.signal_stack import keep_signal_stack
from semseg.compat.telemetry import no_telemetry
from semseg.errors import InvalidInputError, MissingInputError
from semseg.inference.exported_predictor import (
    INPUT,
    METADATA_KEY,
    OUTPUTS,
    ExportedPredictor,
    num_threads,
)


class OpenVinoPredictor(ExportedPredictor):
    """Segment images with an OpenVINO model that `tools/model.py export` wrote.

    Device: `cpu`. A model of the precision bf16 runs in fp32 on CPUs that are not fast at bf16.
    """

    backend, package, extra = "openvino", "openvino", "openvino"

    def _open(self, device: str | None) -> str | None:
        if device not in (None, "cpu"):
            raise InvalidInputError(f"`device` {device}: an OpenVINO model runs on cpu", code="E-input-device")
        self._xml = self.path.read_bytes()
        try:
            return description_in(parse(self._xml))
        except ValueError as error:
            raise InvalidInputError(
                f"{self.path} is not an OpenVINO model: {error}", code="E-input-exported-file"
            ) from error

    def _start(self) -> str:
        # the model shares this memory, and does not keep it
        self._weights = read_weights(self.path, self.facts.get("weights_sha256"))
        with no_telemetry():
            import openvino
        precision = self.facts["precision"]
        is_fast, reason = is_fast_at_bf16(torch.device("cpu"))
        computes_in_bf16 = precision == "bf16" and is_fast
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if computes_in_bf16 else "f32",  # its default depends on the CPU
            "INFERENCE_NUM_THREADS": num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # else several processes would share the same cores
        }
        try:
            with keep_signal_stack():
                core = openvino.Core()
                model = core.read_model(self._xml, openvino.Tensor(self._weights, shared_memory=True))
                self._compiled = core.compile_model(model, "CPU", options)
            # not in the order of the file: one may have been added in front of them
            self._outputs = [self._compiled.output(name) for name in OUTPUTS]
            self._request = self._compiled.create_infer_request()
        except Exception as error:  # RuntimeError, and what its bindings raise
            raise InvalidInputError(
                f"{self.path} is not a model that OpenVINO can run: {last_line(error)}", code="E-input-exported-file"
            ) from error
        self._lock = threading.Lock()  # a request computes one batch at a time
        del self._xml
        version = openvino.__version__.partition("-")[0]
        return f"OpenVINO {version}, CPU, {precision}" + (
            f" (computed in fp32: {reason})" if precision == "bf16" and not is_fast else ""
        )

    def _run(self, batch: np.ndarray, confidence: bool) -> Sequence[np.ndarray]:
        try:
            with self._lock:
                results = self._request.infer({INPUT: batch})
                return [results[output] for output in self._outputs[: 2 if confidence else 1]]
        except RuntimeError as error:
            if "allocate" in str(error) or "bad_alloc" in str(error):
                raise MemoryError(last_line(error)) from error
            raise


def parse(xml: bytes) -> ElementTree.Element:
    """Parse the first half of an OpenVINO model.

    Raises:
        ValueError: it is something else, such as ONNX, which OpenVINO would read too.
    """
    if b"<!DOCTYPE" in xml:
        raise ValueError("it has a document type, which these files don't need")
    try:
        root = ElementTree.fromstring(xml, ElementTree.XMLParser(encoding="utf-8"))
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    if root.tag != "net":
        raise ValueError(f"it holds <{root.tag}>, expected <net>")
    return root


def description_in(root: ElementTree.Element) -> str | None:
    """Return the description in the first half of a model, from `parse`."""
    element = root.find(f"rt_info/{METADATA_KEY}")
    return None if element is None else element.get("value")


def read_weights(path: Path, digest: object) -> np.ndarray:
    """Read the second half of a model, `model.bin` of `model.xml`: bytes, shape (num_bytes,).

    Args:
        path: of the first half.
        digest: SHA-256 of the second half, as the first half tells it.

    Raises:
        FileNotFoundError: there is no second half.
        ValueError: the halves don't belong together.
    """
    weights_path = path.with_suffix(".bin")
    if not weights_path.is_file():
        raise MissingInputError(
            f"no file {weights_path}, which holds the weights of {path.name}: copy both", code="E-input-missing"
        )
    weights = np.fromfile(weights_path, np.uint8)
    if hashlib.sha256(weights.data).hexdigest() != digest:
        raise InvalidInputError(
            f"{weights_path} and {path.name} do not belong together, or one is damaged: copy both files of one export",
            code="E-input-exported-file",
        )
    return weights


def last_line(error: Exception) -> str:
    """Return the last line of an error of OpenVINO, which tells its cause; the first ones tell lines of its sources."""
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
