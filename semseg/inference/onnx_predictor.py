"""A model in an ONNX file, ready to segment: what `Predictor` is to a checkpoint, without PyTorch's model code."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semseg.datasets.bit_depth import FEWEST_BITS, MOST_BITS, check_bits
from semseg.datasets.scaling import TooNarrowError
from semseg.errors import InvalidInputError, MissingInputError
from semseg.evaluation.finite import NotFiniteError
from semseg.inference.prediction import Prediction, check_image
from semseg.labels import IGNORED

METADATA_KEY = "semseg"
SCHEMA = "semseg.export/2"
_OLD_SCHEMA = "semseg.export/1"  # gives 255 times the confidence, uint8
INPUT = "images"
OUTPUTS = ("train_ids", "confidence")
_EMPTY = re.compile(r"Invalid input shape: \{(?:[^}]*,)?0(?:,[^}]*)?\}")  # ONNX Runtime's words for no pixel


class OnnxPredictor:
    """Segment images with an ONNX file that `tools/model.py export` wrote.

    Nothing in the file is executed but the operators that ONNX Runtime knows.

    Args:
        path: of the file.
        device: `cpu`, or such as `cuda:0`; default: the GPU if ONNX Runtime can use one.
        bits: how many are in use of the 16 of a value, in photographs that store 16; default: what the file says.

    Attributes:
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        exif: what the set that it learnt from does with EXIF orientation: `apply` or `ignore`.
        bits: as given, or what that set says of photographs that store 16 bits; None: nothing.
        notes: lines for a person: what runs it.
        facts: what the file says of itself.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: ONNX Runtime is missing or has no such device, or the file is another one.
    """

    tile = None
    has_probabilities = True
    gives_all_probabilities = False  # of the winning class only

    def __init__(self, path: str | Path, device: str | None = None, bits: int | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() == ".pt2":
            raise InvalidInputError(f"{path} is not loaded: an archive of torch.export can run code; export it as ONNX")
        needs("onnxruntime")
        import onnxruntime

        if not self.path.is_file():
            raise MissingInputError(f"no file {path}")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # of a type per cause, without a common one
            raise InvalidInputError(
                f"{path} is not an ONNX model that ONNX Runtime can run: {_first_line(error)}"
            ) from error
        self.facts = _facts(self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), path)
        self.classes = tuple(self.facts["classes"])
        self.palette = tuple(tuple(colour) for colour in self.facts["palette"])
        self.exif = self.facts["exif"]
        self.bits = self.facts.get("bits") if check_bits(bits) is None else bits
        used = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        self.notes = [f"ONNX Runtime {onnxruntime.__version__}, {used}, {self.facts['precision']}"]
        # without this, what nobody asks for would be computed
        self._only_asked_for = onnxruntime.RunOptions()
        self._only_asked_for.only_execute_path_to_fetches = True

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Segment one image (RGB, uint8, shape (height, width, 3)); train ids, uint8, shape (height, width)."""
        return self.predict([image])[0].train_ids

    def predict(
        self, images: Sequence[np.ndarray], *, confidence: bool = False, probabilities: bool = False
    ) -> list[Prediction]:
        """Segment images of one size.

        Args:
            images: RGB, uint8, shape (height, width, 3).
            confidence: whether to return it, too.
            probabilities: not in the file; see below.

        Returns:
            One prediction per image.

        Raises:
            ValueError: the images differ in size, have no three channels of 8 bits, or the file is for another size;
                or probabilities are asked for.
            NotFiniteError: the scores are no numbers.
            MemoryError: a single image is too large.
        """
        if probabilities:
            raise InvalidInputError(
                f"{self.path} gives the winning class with its probability; for all name the checkpoint"
            )
        images = list(images)
        if not images:
            return []
        size = self.facts["size"]
        for image in images:
            check_image(image)
            if image.shape != images[0].shape:
                raise InvalidInputError(
                    f"images of {images[0].shape[:2]} and {image.shape[:2]} pixels; expected one size"
                )
            if size and list(image.shape[:2]) != size:
                raise InvalidInputError(
                    f"{self.path} is for images of {size[1]} x {size[0]} pixels, this one has {image.shape[1]} x"
                    f" {image.shape[0]}; export it with --dynamic for any size"
                )
        names = OUTPUTS if confidence else OUTPUTS[:1]
        batch = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
        try:
            found = self._session.run(names, {INPUT: batch}, self._only_asked_for)
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
        num_bad = int((found[0] == IGNORED).sum())
        if num_bad:
            raise NotFiniteError(
                f"the model's scores are no numbers (NaN or infinite) at {100 * num_bad / found[0].size:.3g} % of the"
                f" pixels; export the checkpoint in fp32 ({self.path} is {self.facts['precision']})"
            )
        if confidence and found[1].dtype == np.uint8:
            found[1] = found[1].astype(np.float32) / 255
        return [Prediction(*(part[i] for part in found), *[None] * (3 - len(found))) for i in range(len(images))]


def needs(*packages: str) -> None:
    """Raise a ValueError that names the first package of the extra `export` that is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise InvalidInputError(f"this needs {package}, which is not installed: pip install -e '.[export]'")


def _providers(device: str | None, available: Sequence[str]) -> list:
    kind, _, number = (device or "").partition(":")
    on_gpu = ("CUDAExecutionProvider", {"device_id": number or "0"})
    if kind == "cuda" and on_gpu[0] not in available:
        raise InvalidInputError(
            f"--device {device}: this ONNX Runtime has no CUDA; pip install onnxruntime-gpu in place of onnxruntime,"
            " or say --device cpu"
        )
    if kind not in ("", "cpu", "cuda"):
        raise InvalidInputError(f"--device {device}: an ONNX file runs on cpu or cuda:N")
    return [*([on_gpu] if kind != "cpu" and on_gpu[0] in available else []), "CPUExecutionProvider"]


def _facts(text: str | None, path: str | Path) -> dict:
    """Read and check what a file says of itself."""
    if text is None:
        raise InvalidInputError(
            f"{path} says nothing of its classes and colours: it is not from tools/model.py export, which to run on the"
            " checkpoint"
        )
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or facts.get("schema") not in (SCHEMA, _OLD_SCHEMA):
        found = facts.get("schema") if isinstance(facts, dict) else None
        raise InvalidInputError(
            f"{path} describes itself by {found!r}, expected {SCHEMA!r}: export it again with this semseg"
        )
    classes, palette, size = facts.get("classes"), facts.get("palette"), facts.get("size")
    sound = (
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
    if not sound:
        raise InvalidInputError(
            f"{path}: what it says of its classes, colours and size cannot be used; export it again"
        )
    return facts


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
