"""Segment images with an exported ONNX file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import numpy as np

from semseg.errors import InvalidInputError
from semseg.inference.exported_predictor import (
    INPUT,
    METADATA_KEY,
    OUTPUTS,
    ExportedPredictor,
    first_line,
    num_threads,
    too_narrow,
)

_EMPTY = re.compile(r"Invalid input shape: \{(?:[^}]*,)?0(?:,[^}]*)?\}")  # ONNX Runtime's message for no pixel


class OnnxPredictor(ExportedPredictor):
    """Segment images with an ONNX file that `tools/model.py export` wrote.

    Only the operators of ONNX Runtime are executed. Devices: `cpu`, or such as `cuda:0`; default: the GPU if ONNX
    Runtime can use one.
    """

    backend, package, extra = "onnx", "onnxruntime", "export"

    def _open(self, device: str | None) -> str | None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = num_threads()
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            self._session = onnxruntime.InferenceSession(str(self.path), options, providers=providers)
        except Exception as error:  # its errors have no common type
            raise InvalidInputError(
                f"{self.path} is not an ONNX model that ONNX Runtime can run: {first_line(error)}",
                code="E-input-exported-file",
            ) from error
        self._run_options = onnxruntime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True  # else unused outputs would be computed
        return self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)

    def _start(self) -> str:
        import onnxruntime

        used = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        return f"ONNX Runtime {onnxruntime.__version__}, {used}, {self.facts['precision']}"

    def _run(self, batch: np.ndarray, confidence: bool) -> Sequence[np.ndarray]:
        names = OUTPUTS if confidence else OUTPUTS[:1]
        try:
            return cast("list[np.ndarray]", self._session.run(names, {INPUT: batch}, self._run_options))
        except Exception as error:  # as above
            if _EMPTY.search(str(error)):
                raise too_narrow(*batch.shape[2:]) from error
            if "allocate" in str(error):
                raise MemoryError(first_line(error)) from error
            raise


def _providers(device: str | None, available: Sequence[str]) -> list:
    """Return what ONNX Runtime shall try to run on, in this order."""
    kind, _, number = (device or "").partition(":")
    on_gpu = ("CUDAExecutionProvider", {"device_id": number or "0"})
    if kind == "cuda" and on_gpu[0] not in available:
        raise InvalidInputError(
            f"`device` {device}: this ONNX Runtime has no CUDA; pip install onnxruntime-gpu in place of onnxruntime,"
            " or give `device` cpu",
            code="E-input-device",
        )
    if kind not in ("", "cpu", "cuda"):
        raise InvalidInputError(f"`device` {device}: an ONNX file runs on cpu or cuda:N", code="E-input-device")
    return [*([on_gpu] if kind != "cpu" and on_gpu[0] in available else []), "CPUExecutionProvider"]
