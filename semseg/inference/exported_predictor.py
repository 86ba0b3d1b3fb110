"""Segment images with an exported file, as `Predictor` does with a checkpoint: all but the runtime that computes."""

from __future__ import annotations

import importlib.util
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semseg.datasets.bit_depth import FEWEST_BITS, MOST_BITS, check_bits
from semseg.datasets.scaling import TooNarrowError, smallest_size
from semseg.errors import InvalidInputError, MissingInputError
from semseg.evaluation.finite import NotFiniteError
from semseg.inference.prediction import Prediction, check_image
from semseg.labels import IGNORED

METADATA_KEY = "semseg"
SCHEMA = "semseg.export/2"
_OLD_SCHEMA = "semseg.export/1"  # its confidence is uint8, 0 to 255
INPUT = "images"
OUTPUTS = ("train_ids", "confidence")


class ExportedPredictor(ABC):
    """Segment images with a file that `tools/model.py export` wrote.

    A subclass is a runtime: it opens the file and computes. The file cannot hold code.

    Args:
        path: of the file.
        device: such as `cpu`; default: what the runtime prefers.
        bits: how many are in use of the 16 of a value, in photographs that store 16; default: what the file says.

    Attributes:
        backend: the name of the runtime in the option `backend`.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        exif: what the model's data set does with EXIF orientation: `apply` or `ignore`.
        bits: as given, or what the file says about photographs that store 16 bits; None: nothing.
        notes: sentences for the user: runtime, device and precision.
        facts: the description in the file, see `facts_of` in `semseg.export.model_file`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the runtime is not installed or has no such device, or the file is not an exported model.
    """

    backend: str
    package: str
    extra: str
    tile = None
    has_probabilities = True
    gives_all_probabilities = False  # of the winning class only

    def __init__(self, path: str | Path, device: str | None = None, bits: int | None = None) -> None:
        self.path = Path(path)
        require_packages(self.package, extra=self.extra)
        if not self.path.is_file():
            raise MissingInputError(f"no file {path}", code="E-input-missing")
        self.facts = read_facts(self._open(device), path)
        self.classes = tuple(self.facts["classes"])
        self.palette = tuple(tuple(colour) for colour in self.facts["palette"])
        self.exif = self.facts["exif"]
        self.bands = None  # such models are not exported
        self.bits = self.facts.get("bits") if check_bits(bits) is None else bits
        self.notes = [self._start()]

    @abstractmethod
    def _open(self, device: str | None) -> str | None:
        """Open the file, and return the description in it."""

    @abstractmethod
    def _start(self) -> str:
        """Get ready to run, with the facts known; return a note: runtime, device and precision."""

    @abstractmethod
    def _run(self, batch: np.ndarray, confidence: bool) -> Sequence[np.ndarray]:
        """Compute the first output, or both.

        Args:
            batch: uint8, shape (N, 3, height, width), contiguous.
            confidence: whether to compute the second output.

        Raises:
            TooNarrowError: from `too_narrow`.
            MemoryError: the batch is too large.
        """

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
        height, width = images[0].shape[:2]
        scale = self.facts.get("scale")
        if scale and min(smallest_size((width, height), {"scale": scale})) < 1:
            raise too_narrow(height, width)
        batch = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
        try:
            results = self._run(batch, confidence)
        except MemoryError as error:
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


def require_packages(*packages: str, extra: str = "export") -> None:
    """Raise a ValueError that names the first package of an extra of this project that is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise InvalidInputError(
                f"this needs {package}, which is not installed: pip install -e '.[{extra}]'", code="E-input-package"
            )


def num_threads() -> int:
    """Return the number of threads that OMP_NUM_THREADS sets, for runtimes that do not read it; 0: not set."""
    first, _, _ = os.environ.get("OMP_NUM_THREADS", "").partition(",")  # a list is one number for each nesting level
    return int(first or 0)


def too_narrow(height: int, width: int) -> TooNarrowError:
    """Return the error for images that the model would scale to no pixel."""
    return TooNarrowError(
        f"an image of {width}x{height} is too narrow: the model would scale it to less than one row or"
        " column; cut it into shorter pieces"
    )


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if there is none."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def read_facts(text: str | None, path: str | Path) -> dict[str, Any]:
    """Parse and check the description in a file."""
    if text is None:
        raise InvalidInputError(
            f"{path} says nothing of its classes and colours: it is not from tools/model.py export; run that on the"
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
    classes, palette = facts.get("classes"), facts.get("palette")
    is_valid = (
        isinstance(classes, list)
        and all(isinstance(name, str) for name in classes)
        and isinstance(palette, list)
        and len(palette) == len(classes)
        and all(isinstance(c, list) and len(c) == 3 and all(v in range(256) for v in c) for c in palette)
        and facts.get("exif") in ("apply", "ignore")
        and (facts.get("bits") is None or facts["bits"] in range(FEWEST_BITS, MOST_BITS + 1))
        and isinstance(facts.get("precision"), str)
        and all(
            sides is None or (isinstance(sides, list) and [type(side) for side in sides] == [int, int])
            for sides in (facts.get("size"), facts.get("scale"))
        )
    )
    if not is_valid:
        raise InvalidInputError(
            f"{path}: what it says of its classes, colours and size cannot be used; export it again",
            code="E-input-exported-file",
        )
    return facts
