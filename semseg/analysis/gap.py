"""Measure a model on photographs without labels, and write its predictions as pseudo-labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semseg.analysis.gap_scores import Measures, measure
from semseg.analysis.pseudo_labels import DoubtCounts, pseudo_labels
from semseg.datasets.index_png import write_index_png
from semseg.errors import InvalidInputError
from semseg.inference.outputs import Outputs
from semseg.inference.prediction import without_nodata
from semseg.inference.read_ahead import Readers, ReadImage
from semseg.inference.reading import Photograph, read_photograph
from semseg.inference.sources import LeftOut, SourceImage, find_images
from semseg.system.folders import walk_files
from semseg.system.objects.addresses import refuse_address

if TYPE_CHECKING:
    from semseg.inference.prediction import Prediction
    from semseg.inference.predictor import Predictor

SPLITS = ("val", "test", "train")
"""Splits of a data set in Cityscapes' layout, in order of preference; train is last: the model was trained on it."""


class Photographs(NamedTuple):
    """The photographs of one side of a comparison.

    Attributes:
        folder: that they are in.
        images: to be measured.
        num_found: number of images in the folder, of which `images` are an evenly spaced choice.
        note: a remark about the choice, for the user; may be empty.
    """

    folder: Path
    images: list[SourceImage]
    num_found: int
    note: str = ""


class Measured(NamedTuple):
    """The result for one photograph.

    Attributes:
        source: its path, and its name with suffix relative to the folder.
        size: height, width; None if it could not be read.
        measures: None if it could not be read or segmented.
        fault: the reason for that; otherwise empty.
    """

    source: SourceImage
    size: tuple[int, int] | None
    measures: Measures | None
    fault: str = ""


def find_photographs(
    source: str | Path, max_images: int | None, is_reference: bool = False, leave_out: Sequence[Path] = ()
) -> Photographs:
    """Find the photographs of a folder, or of a set in Cityscapes' layout.

    Args:
        source: a folder, an image, a list, or the root of a data set in Cityscapes' layout. For a reference, the first
            of `SPLITS` that has images is used, otherwise all of leftImg8bit.
        max_images: choose at most so many, evenly spaced; None for all.
        is_reference: see `source`.
        leave_out: folders with results, which are skipped.

    Raises:
        FileNotFoundError: there are no images.
        ValueError: a file is not an image.
    """
    refuse_address(source, "reference" if is_reference else "folder")
    folder, note = Path(source), ""
    photographs = folder / "leftImg8bit"
    if photographs.is_dir():
        folder = photographs
        splits = [name for name in SPLITS if _holds_pngs(photographs / name)]
        if is_reference and splits:
            folder = photographs / splits[0]
            others = f", not of {' or '.join(splits[1:])}" if splits[1:] else ", the only split"
            note = f"images of {splits[0]}{others}"
            if splits[0] == "train":
                note += ": a model that was trained on them is more certain about them than about other images"
    left_out = LeftOut()
    images = find_images(folder, leave_out=leave_out, keep_suffix=True, left_out=left_out)
    notes = [*([note] if note else []), *left_out.lines()]
    num_images = min(max_images or len(images), len(images))
    indices = np.linspace(0, len(images) - 1, num_images).round().astype(int)
    return Photographs(folder, [images[i] for i in indices], len(images), "; ".join(notes))


def _holds_pngs(folder: Path) -> bool:
    return folder.is_dir() and any(path.suffix == ".png" for path in walk_files(folder))


def measure_photographs(
    predictor: Predictor,
    images: Sequence[SourceImage],
    counts: DoubtCounts | None = None,
    on_done: Callable[[Measured], None] = lambda measured: None,
) -> list[Measured]:
    """Predict each photograph and its mirror image, and measure the predictions; only the numbers are kept.

    Args:
        predictor: the model.
        images: to measure.
        counts: if given, it is updated with the doubt of every pixel.
        on_done: called after each photograph; for an unreadable one, possibly from another thread.
    """
    results = []

    def add(measured: Measured) -> None:
        results.append(measured)
        on_done(measured)

    def fail(source: SourceImage, fault: str) -> None:
        add(Measured(source, None, None, fault))

    for source, photograph in _read_ahead(images, predictor, fail):
        measures, fault = None, ""
        try:
            measures = _measure(predictor, photograph, counts)
        except Exception as error:  # any model and runtime may fail on one photograph; continue with the others
            fault = " ".join(f"cannot be segmented ({type(error).__name__}: {error})".split())
        add(Measured(source, photograph.image.shape[:2], measures, fault))
    return results


def _measure(predictor: Predictor, photograph: Photograph, counts: DoubtCounts | None) -> Measures:
    """Measure the prediction for a photograph, without its pixels that have no data."""
    image, nodata = photograph.image, photograph.nodata
    if nodata is not None and nodata.all():
        raise InvalidInputError("it has no data in any pixel", code="E-input-empty")
    mirror_image = np.ascontiguousarray(image[:, ::-1])
    # the sum over the pixels with data needs the probability of every class
    own, mirrored = predictor.predict([image, mirror_image], uncertainty=True, probabilities=nodata is not None)
    assert own.doubt is not None and own.entropy is not None and own.mass is not None  # uncertainty=True
    train_ids, mirrored_ids, doubt, entropy = own.train_ids, mirrored.train_ids[:, ::-1], own.doubt, own.entropy
    mass = own.mass
    if nodata is not None:
        assert own.probabilities is not None
        train_ids, mirrored_ids, doubt, entropy = (
            values[~nodata] for values in (train_ids, mirrored_ids, doubt, entropy)
        )
        mass = own.probabilities[:, ~nodata].sum(axis=1, dtype=np.float64)
    measures = measure(train_ids, mirrored_ids, doubt, entropy, mass)
    if counts is not None:
        counts.update(train_ids, doubt)
    return measures


def predict_again(
    predictor: Predictor, images: Sequence[SourceImage], visit: Callable[[SourceImage, np.ndarray, Prediction], None]
) -> None:
    """Predict measured photographs a second time, and call a function with each prediction.

    Args:
        predictor: the same model.
        images: that could be read the first time; those that have disappeared since are skipped.
        visit: called with each image, its pixels (RGB, uint8) and its prediction with `doubt`.
    """
    for source, photograph in _read_ahead(images, predictor, lambda source, fault: None):
        (prediction,) = predictor.predict([photograph.image], uncertainty=True)
        visit(source, photograph.rgb, without_nodata(prediction, photograph.nodata))


class PseudoLabels:
    """Writes predictions as label files: of each class, the most certain pixels.

    Args:
        out_dir: for the files `<name of the photograph without suffix>.png`: train ids, 255 where the prediction is not
            certain enough.
        outputs: has the palette.
        max_doubt: up to which a pixel is kept, by class, from `DoubtCounts.max_doubt`.

    Attributes:
        max_doubt: as given.
        pixels: number of pixels predicted as each class, int64, shape (num_classes,).
        kept: how many of these became labels, int64, shape (num_classes,).
    """

    def __init__(self, out_dir: Path, outputs: Outputs, max_doubt: np.ndarray) -> None:
        self._out_dir, self._outputs, self.max_doubt = out_dir, outputs, max_doubt
        self.pixels, self.kept = (np.zeros(len(max_doubt), np.int64) for _ in range(2))

    def write(self, source: SourceImage, prediction: Prediction) -> np.ndarray:
        """Write the labels of one photograph, and return them: train ids, uint8, shape (height, width)."""
        assert prediction.doubt is not None
        labels = pseudo_labels(prediction.train_ids, prediction.doubt, self.max_doubt)
        for total, train_ids in ((self.pixels, prediction.train_ids), (self.kept, labels)):
            total += np.bincount(train_ids.ravel(), minlength=256)[: len(total)]
        write_index_png((self._out_dir / source.name).with_suffix(".png"), labels, self._outputs.palette)
        return labels


def check_label_names(images: Sequence[SourceImage]) -> None:
    """Raise a ValueError if the pseudo-labels of two photographs would have the same file name."""
    taken: dict[Path, Path] = {}
    for image in images:
        name = image.name.with_suffix(".png")
        if name in taken:
            raise InvalidInputError(
                f"{taken[name]} and {image.path} would both get the pseudo-label {name}; rename one of them",
                code="E-input-same-name",
            )
        taken[name] = image.path_on_disk


def _read(path: Path, predictor: Predictor) -> Photograph:
    return read_photograph(path, predictor.exif, bits=predictor.bits, bands=predictor.bands)


def _read_ahead(
    images: Sequence[SourceImage], predictor: Predictor, fail: Callable[[SourceImage, str], None]
) -> Iterator[tuple[SourceImage, Photograph]]:
    """Read images in threads and yield them; call `fail` with each unreadable one and the reason."""

    def read(source: SourceImage) -> ReadImage | None:
        try:
            return ReadImage(source, _read(source.path_on_disk, predictor), 0.0)
        except ValueError as error:
            fail(source, " ".join(str(error).split()))
            return None

    readers = Readers()
    try:
        for (image,) in readers.groups(images, read, lambda num_pixels: 1):
            assert image.photograph is not None  # None is for files that are read in tiles, see `read`
            yield image.source, image.photograph
    finally:
        readers.stop()
