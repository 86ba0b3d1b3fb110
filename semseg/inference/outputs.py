"""Write the results of one image."""

from __future__ import annotations

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
from semseg.system.objects.addresses import Address
from semseg.system.result_names import check_inputs_stay
from semseg.visualization import drawing
from semseg.visualization.picture_files import QUALITY, encode_picture

if TYPE_CHECKING:
    from semseg.inference.prediction import Prediction
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
"""Every kind of output, which is also the name of its folder, and the suffix of its files."""


def check_kinds(kinds: Sequence[str]) -> None:
    """Raise a ValueError for a kind of output that does not exist."""
    for kind in kinds:
        if kind not in SUFFIXES:
            raise InvalidInputError(
                f"`save` {kind}: expected some of {', '.join(list(SUFFIXES)[2:])}", code="E-input-output-kind"
            )


def check_sources_stay(images: Iterable[SourceImage], out_dir: Path | Address, kinds: Collection[str]) -> None:
    """Raise a ValueError if a result would replace one of the images."""
    images = list(images)
    results = (out_dir / kind / f"{image.name}{SUFFIXES[kind]}" for image in images for kind in kinds)
    check_inputs_stay(results, (image.path for image in images), "out_dir")


@dataclass(frozen=True)
class Outputs:
    """Writes the results of images.

    Attributes:
        out_dir: made if missing; existing results are replaced.
        classes: names, in the order of their train ids.
        palette: RGB, shape (num_classes, 3).
        kinds: what to write, some of `SUFFIXES`: `pred` train ids as PNG with the palette, `vis` overlay, `color` the
            colours of the classes, `conf` confidence in 8 bits (255 is 1), `probs` float16 probabilities, shape
            (num_classes, height, width), `labelids` label ids of Cityscapes, `side-by-side` photograph and overlay.
        opacity: share of the colours in overlays, 0 to 1.
        legend: write the names of the classes that occur below overlays.
        outlines: draw the borders between classes in overlays.

    Raises:
        ValueError: an unknown kind, an opacity outside 0 to 1, or `labelids` for classes without label ids.
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
            raise InvalidInputError(f"`opacity` {self.opacity}: expected 0 to 1", code="E-input-range")
        check_kinds(self.kinds)
        if "labelids" in self.kinds and categories_of(self.classes) is None:
            foreign = next((name for name in self.classes if name not in CITYSCAPES.classes), None)
            raise InvalidInputError(
                f"`save` labelids: {foreign!r} is no class of Cityscapes, and has no label id there",
                code="E-input-output-kind",
            )

    @property
    def needs_probabilities(self) -> bool:
        """Whether probabilities are written."""
        return "probs" in self.kinds

    def paths(self, name: Path, place: Place | None = None) -> dict[str, Path]:
        """Return the paths of the results of an image, by kind; the suffix of the mask depends on the place."""
        suffixes = SUFFIXES if place is None else {**SUFFIXES, "pred": place.mask_suffix}
        return {kind: self.out_dir / kind / f"{name}{suffixes[kind]}" for kind in self.kinds}

    def tiled_paths(self, name: Path) -> dict[str, Path]:
        """Return the paths of the results of an image that was segmented by tiles: train ids, and a small overlay."""
        paths = {kind: path for kind, path in self.paths(name).items() if kind == "vis"}
        return {"pred": self.out_dir / "pred" / f"{name}.tif", **paths}

    def are_among(self, name: Path, whole_paths: set[Path]) -> bool:
        """Return whether all results of an image are among files that were verified."""
        possible = self.paths(name), self.paths(name, Place(is_tiff=True)), self.tiled_paths(name)
        return any(whole_paths.issuperset(paths.values()) for paths in possible)

    def write_overview(self, name: Path, image: np.ndarray, train_ids: np.ndarray) -> None:
        """Write the overlay of an image that was segmented by tiles.

        Args:
            name: of the image, relative.
            image: reduced in size, RGB, uint8, shape (height, width, 3).
            train_ids: uint8, shape (height, width).
        """
        if "vis" in self.kinds:
            overlay = self._with_legend(self.overlay(image, train_ids), train_ids)
            with atomic_path(self.tiled_paths(name)["vis"]) as temporary:
                _save(Image.fromarray(overlay), temporary)

    def write(self, name: Path, image: np.ndarray, prediction: Prediction, place: Place | None = None) -> list[Path]:
        """Write the results of an image; each file appears when it is complete.

        Args:
            name: of the image, relative.
            image: RGB, uint8, shape (height, width, 3).
            prediction: of this image; 255 where the image has no data; with confidence and probabilities if they are
                written.
            place: of the image on the earth, which `pred` gets, too.

        Returns:
            The files, without world files.
        """
        paths = self.paths(name, place)
        has_overlay = {"vis", "side-by-side"} & set(self.kinds)
        overlay = self.overlay(image, prediction.train_ids) if has_overlay else image
        for kind, path in paths.items():
            if kind == "pred":
                write_mask(path, prediction.train_ids, self.palette, place)
                continue
            with atomic_path(path) as temporary:
                if kind == "probs":
                    assert prediction.probabilities is not None
                    np.savez(temporary, probabilities=prediction.probabilities, classes=np.array(self.classes))
                elif kind in ("vis", "side-by-side"):
                    picture = overlay if kind == "vis" else np.hstack([image, overlay])
                    _save(Image.fromarray(self._with_legend(picture, prediction.train_ids)), temporary)
                else:
                    _save(self._mask(kind, prediction), temporary)
        return list(paths.values())

    def overlay(self, image: np.ndarray, train_ids: np.ndarray) -> np.ndarray:
        """Return the photograph with the colours of the classes, RGB, uint8, in the same size."""
        blended = drawing.overlay(image, train_ids, self.palette, self.opacity)
        return drawing.outline(blended, train_ids) if self.outlines else blended

    def _mask(self, kind: str, prediction: Prediction) -> Image.Image:
        if kind == "conf":
            assert prediction.confidence is not None
            return Image.fromarray(drawing.to_uint8(prediction.confidence))
        if kind == "labelids":
            ids = [CITYSCAPES.by_name[name].label_id for name in self.classes]
            table = np.zeros(256, np.uint8)  # all other values become 0, unlabeled
            table[: len(ids)] = ids
            return Image.fromarray(table[prediction.train_ids])
        if kind == "color":
            table = np.zeros((256, 3), np.uint8)
            table[: len(self.palette)] = self.palette
            return Image.fromarray(table[prediction.train_ids])
        raise AssertionError(kind)  # of SUFFIXES

    def _with_legend(self, picture: np.ndarray, train_ids: np.ndarray) -> np.ndarray:
        if not self.legend:
            return picture
        return drawing.add_legend(picture, train_ids, self.classes, self.palette)


def _save(picture: Image.Image, path: Path) -> None:
    path.write_bytes(encode_picture(picture, path.suffix, quality=QUALITY))  # PNG ignores it


def class_shares(train_ids: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the share of each class in the pixels that have data: float, shape (num_classes,), 0 to 1.

    Pixels without data (255) do not count; all shares are 0 if there are no other pixels.
    """
    return shares_of_counts(np.bincount(train_ids.ravel(), minlength=256), num_classes)


def shares_of_counts(counts: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the shares of classes from the number of pixels of each value, shape (256,); see `class_shares`."""
    return counts[:num_classes] / max(1, counts[:num_classes].sum())


def mean_confidence(prediction: Prediction) -> float | None:
    """Return the mean confidence of the pixels with data, 0 to 1; None if there are none, or no confidence."""
    if prediction.confidence is None:
        return None
    valid = prediction.train_ids != IGNORED
    return float(prediction.confidence.mean(where=valid, dtype=np.float64)) if valid.any() else None
