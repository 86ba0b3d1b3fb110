"""Segment images with an exported ONNX file, as `Predictor` does with a checkpoint."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from semseg.datasets.bit_depth import FEWEST_BITS, MOST_BITS, check_bits
from semseg.datasets.scaling import TooNarrowError
from semseg.errors import InvalidInputError, MissingInputError
from semseg.evaluation.finite import NotFiniteError
from semseg.inference.prediction import Prediction, check_image
from semseg.labels import IGNORED

METADATA_KEY = "semseg"
SCHEMA = "semseg.export/2"
_OLD_SCHEMA = "semseg.export/1"  # its confidence is uint8, 0 to 255
INPUT = "images"
OUTPUTS = ("train_ids", "confidence")
_EMPTY = re.compile(r"Invalid input shape: \{(?:[^}]*,)?0(?:,[^}]*)?\}")  # ONNX Runtime's message for no pixel


class OnnxPredictor:
    """Segment images with an ONNX file that `tools/model.py export` wrote.

    Only the operators of ONNX Runtime are executed; the file cannot hold other code.

    Args:
        path: of the file.
        device: `cpu`, or such as `cuda:0`; default: the GPU if ONNX Runtime can use one.
        bits: how many are in use of the 16 of a value, in photographs that store 16; default: what the file says.

    Attributes:
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        exif: what the model's data set does with EXIF orientation: `apply` or `ignore`.
        bits: as given, or what the file says about photographs that store 16 bits; None: nothing.
        notes: sentences for the user: runtime, device and precision.
        facts: the description in the file, see `facts_of` in `semseg.export.model_file`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: ONNX Runtime is not installed or has no such device, or the file is not an exported model.
    """

    tile = None
    has_probabilities = True
    gives_all_probabilities = False  # of the winning class only

    def __init__(self, path: str | Path, device: str | None = None, bits: int | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() == ".pt2":
            raise InvalidInputError(
                f"{path} is not loaded: an archive of torch.export can run code; export it as ONNX",
                code="E-input-exported-file",
            )
        require_packages("onnxruntime")
        import onnxruntime

        if not self.path.is_file():
            raise MissingInputError(f"no file {path}", code="E-input-missing")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # its errors have no common type
            raise InvalidInputError(
                f"{path} is not an ONNX model that ONNX Runtime can run: {_first_line(error)}",
                code="E-input-exported-file",
            ) from error
        self.facts = _read_facts(self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), path)
        self.classes = tuple(self.facts["classes"])
        self.palette = tuple(tuple(colour) for colour in self.facts["palette"])
        self.exif = self.facts["exif"]
        self.bits = self.facts.get("bits") if check_bits(bits) is None else bits
        used = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.notes = [f"ONNX Runtime {onnxruntime.__version__}, {used}, {self.facts['precision']}"]
        self._run_options = onnxruntime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True  # else unused outputs would be computed

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Segment one image (RGB, uint8, shape (height, width, 3)); train ids, uint8, shape (height, width)."""
        return self.predict([image])[0].train_ids

    def predict(
        self, images: Sequence[np.ndarray], *, confidence: bool = False, probabilities: bool = False
    ) -> list[Prediction]:
        """Segment images of one size.

        Args:
            images: RGB, uint8, shape (height, width, 3).
            confidence: also return the probability of the winning class.
            probabilities: must be False; the file has none.

        Returns:
            One prediction per image.

        Raises:
            ValueError: the images differ in size or are not RGB with 8 bits, the file is for another size, or
                `probabilities` is True.
            NotFiniteError: the scores are NaN or infinite.
            MemoryError: a single image is too large.
        """
        if probabilities:
            raise InvalidInputError(
                f"{self.path} gives the winning class with its probability; for all name the checkpoint",
                code="E-input-no-probabilities",
            )
        images = list(images)
        if not images:
            return []
        size = self.facts["size"]
        for image in images:
            check_image(image)
            if image.shape != images[0].shape:
                raise InvalidInputError(
                    f"images of {images[0].shape[:2]} and {image.shape[:2]} pixels; expected one size",
                    code="E-input-sizes",
                )
            if size and list(image.shape[:2]) != size:
                raise InvalidInputError(
                    f"{self.path} is for images of {size[1]} x {size[0]} pixels, this one has {image.shape[1]} x"
                    f" {image.shape[0]}; export it with --dynamic for any size",
                    code="E-input-sizes",
                )
        names = OUTPUTS if confidence else OUTPUTS[:1]
        batch = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
        try:
            results = cast("list[np.ndarray]", self._session.run(names, {INPUT: batch}, self._run_options))
        except Exception as error:  # as above
            if _EMPTY.search(str(error)):
                raise TooNarrowError(
                    f"an image of {batch.shape[3]}x{batch.shape[2]} is too narrow: the model would scale it to less"
                    " than one row or column; cut it into shorter pieces"
                ) from error
            if "allocate" not in str(error):
                raise
            if len(images) == 1:
                raise MemoryError(f"an image of {batch.shape[3]} x {batch.shape[2]} pixels is too large") from error
            half = len(images) // 2
            return [
                *self.predict(images[:half], confidence=confidence),
                *self.predict(images[half:], confidence=confidence),
            ]
        train_ids = results[0]
        num_bad = int(np.count_nonzero(train_ids == IGNORED))
        if num_bad:
            raise NotFiniteError(
                f"the model's scores are no numbers (NaN or infinite) at {100 * num_bad / train_ids.size:.3g} % of the"
                f" pixels; export the checkpoint in fp32 ({self.path} is {self.facts['precision']})"
            )
        if not confidence:
            return [Prediction(mask) for mask in train_ids]
        confidences = results[1]
        if confidences.dtype == np.uint8:
            confidences = confidences.astype(np.float32) / 255
        return [Prediction(*parts) for parts in zip(train_ids, confidences, strict=True)]


def require_packages(*packages: str) -> None:
    """Raise a ValueError that names the first package of the extra `export` that is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise InvalidInputError(
                f"this needs {package}, which is not installed: pip install -e '.[export]'", code="E-input-package"
            )


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


def _read_facts(text: str | None, path: str | Path) -> dict:
    """Parse and check the description in a file."""
    if text is None:
        raise InvalidInputError(
            f"{path} says nothing of its classes and colours: it is not from tools/model.py export, which to run on the"
            " checkpoint",
            code="E-input-exported-file",
        )
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or facts.get("schema") not in (SCHEMA, _OLD_SCHEMA):
        schema = facts.get("schema") if isinstance(facts, dict) else None
        raise InvalidInputError(
            f"{path} describes itself by {schema!r}, expected {SCHEMA!r}: export it again with this semseg",
            code="E-input-exported-file",
        )
    classes, palette, size = facts.get("classes"), facts.get("palette"), facts.get("size")
    is_valid = (
        isinstance(classes, list)
        and all(isinstance(name, str) for name in classes)
        and isinstance(palette, list)
        and len(palette) == len(classes)
        and all(isinstance(c, list) and len(c) == 3 and all(v in range(256) for v in c) for c in palette)
        and facts.get("exif") in ("apply", "ignore")
        and (facts.get("bits") is None or facts["bits"] in range(FEWEST_BITS, MOST_BITS + 1))
        and isinstance(facts.get("precision"), str)
        and (size is None or (isinstance(size, list) and [type(side) for side in size] == [int, int]))
    )
    if not is_valid:
        raise InvalidInputError(
            f"{path}: what it says of its classes, colours and size cannot be used; export it again",
            code="E-input-exported-file",
        )
    return facts


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
