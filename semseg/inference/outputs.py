"""What is written for one image, and where."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from semseg.errors import InvalidInputError
from semseg.inference.georeference import Place
from semseg.inference.mask_files import write_mask
from semseg.labels import CITYSCAPES, IGNORED, categories_of
from semseg.system.atomic import atomic_path
from semseg.system.folders import absolute_path
from semseg.visualization import drawing

if TYPE_CHECKING:
    from semseg.inference.predictor import Prediction
    from semseg.inference.sources import SourceImage

SUFFIXES = {
    "pred": ".png",
    "vis": ".jpg",
    "color": ".png",
    "conf": ".png",
    "probs": ".npz",
    "labelids": ".png",
    "side-by-side": ".jpg",
}
"""Every kind of output: the folder that it lies in, and the suffix of its files."""

_JPEG_QUALITY = 90


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise a ValueError for a kind of output that does not exist."""
    for kind in kinds:
        if kind not in SUFFIXES:
            raise InvalidInputError(f"--save {kind}: expected some of {', '.join(list(SUFFIXES)[2:])}")


def check_sources_stay(images: Iterable[SourceImage], out_dir: Path, kinds: Collection[str]) -> None:
    """Raise a ValueError if a result would replace an image that is to be segmented."""
    by_path = {absolute_path(image.path): image for image in images}
    for image in by_path.values():
        for kind in kinds:
            path = out_dir / kind / f"{image.name}{SUFFIXES[kind]}"
            if absolute_path(path) in by_path:
                raise InvalidInputError(
                    f"the results would replace the image {path} by another one; choose another --out-dir"
                )


@dataclass(frozen=True)
class Outputs:
    """Writes what was asked for.

    Attributes:
        out_dir: made if missing; existing results are replaced.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        kinds: what to write, out of `SUFFIXES`: `pred` train ids with the palette inside, `vis` overlay, `color` the
            classes' colours, `conf` confidence in 8 bits (255 certain), `probs` float16 probabilities, shape
            (num_classes, height, width), `labelids` Cityscapes' label ids, `side-by-side` photograph and overlay.
        opacity: share of the colours in overlays, 0 to 1.
        legend: put the names of the classes that occur below overlays.
        outlines: draw the borders between classes into overlays.

    Raises:
        ValueError: an unknown kind, an opacity outside 0 to 1, or `labelids` of classes that have none.
    """

    out_dir: Path
    classes: Sequence[str]
    palette: Sequence
    kinds: Sequence[str] = ("pred", "vis")
    opacity: float = 0.6
    legend: bool = False
    outlines: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.opacity <= 1:
            raise InvalidInputError(f"--opacity {self.opacity}: expected 0 to 1")
        check_kinds(self.kinds)
        if "labelids" in self.kinds and categories_of(self.classes) is None:
            foreign = next((name for name in self.classes if name not in CITYSCAPES.classes), None)
            raise InvalidInputError(
                f"--save labelids: {foreign!r} is no class of Cityscapes, and has no label id there"
            )

    @property
    def needs_probabilities(self) -> bool:
        return "probs" in self.kinds

    def paths(self, name: Path, place: Place | None = None) -> dict[str, Path]:
        """Return where the results of an image lie, by kind; what has a place on the earth may get another mask."""
        suffixes = SUFFIXES if place is None else {**SUFFIXES, "pred": place.mask_suffix}
        return {kind: self.out_dir / kind / f"{name}{suffixes[kind]}" for kind in self.kinds}

    def tiled_paths(self, name: Path) -> dict[str, Path]:
        """Return where the results of a picture lie that went by tiles: train ids, and a small overlay."""
        paths = {kind: path for kind, path in self.paths(name).items() if kind == "vis"}
        return {"pred": self.out_dir / "pred" / f"{name}.tif", **paths}

    def are_among(self, name: Path, whole_paths: set[Path]) -> bool:
        """Return whether everything that is wanted of an image is among the files that were verified."""
        ways = self.paths(name), self.paths(name, Place(is_tiff=True)), self.tiled_paths(name)
        return any(whole_paths.issuperset(paths.values()) for paths in ways)

    def write_overview(self, name: Path, image: np.ndarray, train_ids: np.ndarray) -> None:
        """Write the overlay of a picture that went by tiles.

        Args:
            name: of the picture, relative.
            image: the picture made small, RGB, uint8, shape (height, width, 3).
            train_ids: uint8, shape (height, width).
        """
        if "vis" in self.kinds:
            overlay = self._with_legend(self.overlay(image, train_ids), train_ids)
            with atomic_path(self.tiled_paths(name)["vis"]) as temporary:
                _save(Image.fromarray(overlay), temporary)

    def write(self, name: Path, image: np.ndarray, prediction: Prediction, place: Place | None = None) -> list[Path]:
        """Write the results of an image, each of them whole or not at all.

        Args:
            name: of the image, relative.
            image: RGB, uint8, shape (height, width, 3).
            prediction: of this image; 255 where the image has no data.
            place: of the image on the earth; `pred` gets it, too.

        Returns:
            The files, without world files.
        """
        paths = self.paths(name, place)
        overlay = None
        if {"vis", "side-by-side"} & set(self.kinds):
            overlay = self.overlay(image, prediction.train_ids)
        for kind, path in paths.items():
            if kind == "pred":
                write_mask(path, prediction.train_ids, self.palette, place)
                continue
            with atomic_path(path) as temporary:
                if kind == "probs":
                    np.savez(temporary, probabilities=prediction.probabilities, classes=np.array(self.classes))
                elif kind in ("vis", "side-by-side"):
                    picture = overlay if kind == "vis" else np.hstack([image, overlay])
                    _save(Image.fromarray(self._with_legend(picture, prediction.train_ids)), temporary)
                else:
                    _save(self._mask(kind, prediction), temporary)
        return list(paths.values())

    def overlay(self, image: np.ndarray, train_ids: np.ndarray) -> np.ndarray:
        """Return the photograph with the colours of the classes: RGB, uint8, in its size."""
        blended = drawing.overlay(image, train_ids, self.palette, self.opacity)
        return drawing.outline(blended, train_ids) if self.outlines else blended

    def _mask(self, kind: str, prediction: Prediction) -> Image.Image:
        if kind == "conf":
            return Image.fromarray(drawing.to_uint8(prediction.confidence))
        if kind == "labelids":
            ids = [CITYSCAPES.by_name[name].label_id for name in self.classes]
            table = np.zeros(256, np.uint8)  # what is no class is 0, unlabeled
            table[: len(ids)] = ids
            return Image.fromarray(table[prediction.train_ids])
        if kind == "color":
            table = np.zeros((256, 3), np.uint8)
            table[: len(self.palette)] = self.palette
            return Image.fromarray(table[prediction.train_ids])
        raise InvalidInputError(f"no picture of kind {kind!r}")

    def _with_legend(self, picture: np.ndarray, train_ids: np.ndarray) -> np.ndarray:
        if not self.legend:
            return picture
        return drawing.add_legend(picture, train_ids, self.classes, self.palette)


def _save(picture: Image.Image, path: Path) -> None:
    """Write a picture by way of the memory: Pillow does not say why a file could not be written."""
    encoded = io.BytesIO()
    if path.suffix == ".png":
        picture.save(encoded, "PNG")
    else:
        picture.save(encoded, "JPEG", quality=_JPEG_QUALITY)
    path.write_bytes(encoded.getbuffer())


def class_shares(train_ids: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the share of each class in the pixels that have one: float, shape (num_classes,), 0 to 1.

    Pixels without data (255) do not count; of an image that has no other pixels, all shares are 0.
    """
    return shares_of_counts(np.bincount(train_ids.ravel(), minlength=256), num_classes)


def shares_of_counts(counts: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the shares of classes from the pixels of each value, shape (256,); see `class_shares`."""
    return counts[:num_classes] / max(1, counts[:num_classes].sum())


def mean_confidence(prediction: Prediction) -> float | None:
    """Return the mean of the confidence where an image has data, 0 to 1; None if there is none."""
    if prediction.confidence is None:
        return None
    valid = prediction.train_ids != IGNORED
    return float(prediction.confidence.mean(where=valid, dtype=np.float64)) if valid.any() else None
