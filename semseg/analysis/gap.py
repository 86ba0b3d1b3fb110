"""A model on photographs without labels: each is measured, those to label next are found, and labels are guessed."""

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

if TYPE_CHECKING:
    from semseg.inference.prediction import Prediction
    from semseg.inference.predictor import Predictor

SPLITS = ("val", "test", "train")
"""Of a set in Cityscapes' layout, in the order in which they are taken: a model knows what it was trained on."""


class Photographs(NamedTuple):
    """One side of a comparison.

    Attributes:
        folder: where they come from.
        images: to be measured.
        num_found: of which they were chosen, evenly.
        note: what a person should know about the choice; empty if nothing.
    """

    folder: Path
    images: list[SourceImage]
    num_found: int
    note: str = ""


class Measured(NamedTuple):
    """One photograph.

    Attributes:
        source: its path, and its name with suffix relative to the folder.
        size: height, width; None if it could not be read.
        measures: None if it could not be read or segmented.
        fault: why; empty if it could.
    """

    source: SourceImage
    size: tuple[int, int] | None
    measures: Measures | None
    fault: str = ""


def find_photographs(
    source: str | Path, most: int | None, is_reference: bool = False, leave_out: Sequence[Path] = ()
) -> Photographs:
    """Find the photographs of a folder, or of a set in Cityscapes' layout.

    Args:
        source: a folder, an image, a list, or the root of such a set, of which a reference takes the first of
            `SPLITS` that has images, anything else all of leftImg8bit.
        most: choose so many, evenly; None for all.
        is_reference: see `source`.
        leave_out: folders in which results lie.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a file is no image.
    """
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
                note += ": a model that was trained on them is surer of them than of others"
    left_out = LeftOut()
    found = find_images(folder, leave_out=leave_out, keep_suffix=True, left_out=left_out)
    notes = [*([note] if note else []), *left_out.lines()]
    places = np.linspace(0, len(found) - 1, min(most or len(found), len(found))).round().astype(int)
    return Photographs(folder, [found[i] for i in places], len(found), "; ".join(notes))


def _holds_pngs(folder: Path) -> bool:
    return folder.is_dir() and any(path.suffix == ".png" for path in walk_files(folder))


def measure_photographs(
    predictor: Predictor,
    images: Sequence[SourceImage],
    counts: DoubtCounts | None = None,
    on_done: Callable[[Measured], None] = lambda measured: None,
) -> list[Measured]:
    """Predict each photograph and its mirror image, and measure what comes out; only the numbers are kept.

    Args:
        predictor: the model.
        images: to measure.
        counts: gets the doubt of every pixel, if given.
        on_done: called after each; for one that cannot be read in a thread, as soon as that is known.
    """
    found = []

    def add(measured: Measured) -> None:
        found.append(measured)
        on_done(measured)

    def fail(source: SourceImage, fault: str) -> None:
        add(Measured(source, None, None, fault))

    for source, photograph in _read_ahead(images, predictor, fail):
        measures, fault = None, ""
        try:
            measures = _measure(predictor, photograph, counts)
        except Exception as error:  # of any size and runtime; the others go on
            fault = " ".join(f"cannot be segmented ({type(error).__name__}: {error})".split())
        add(Measured(source, photograph.image.shape[:2], measures, fault))
    return found


def _measure(predictor: Predictor, photograph: Photograph, counts: DoubtCounts | None) -> Measures:
    """Measure a photograph where it has data."""
    image, nodata = photograph.image, photograph.nodata
    if nodata is not None and nodata.all():
        raise InvalidInputError("it has no data anywhere")
    mirror = np.ascontiguousarray(image[:, ::-1])
    # the sum over the pixels with data needs the probability of every class
    own, mirrored = predictor.predict([image, mirror], uncertainty=True, probabilities=nodata is not None)
    maps, mass = (own.train_ids, mirrored.train_ids[:, ::-1], own.doubt, own.entropy), own.mass
    if nodata is not None:
        maps = tuple(part[~nodata] for part in maps)
        mass = own.probabilities[:, ~nodata].sum(axis=1, dtype=np.float64)
    measures = measure(*maps, mass)
    if counts is not None:
        counts.update(maps[0], maps[2])
    return measures


def revisit(
    predictor: Predictor, images: Sequence[SourceImage], visit: Callable[[SourceImage, np.ndarray, Prediction], None]
) -> None:
    """Predict photographs that were measured once more, and hand each over with what the model says of it.

    Args:
        predictor: the same model.
        images: that could be read.
        visit: called with each, its pixels (RGB, uint8) and its prediction with `doubt`.
    """
    for source, photograph in _read_ahead(images, predictor, lambda source, fault: None):  # it is gone since
        (prediction,) = predictor.predict([photograph.image], uncertainty=True)
        visit(source, photograph.image, without_nodata(prediction, photograph.nodata))


class PseudoLabels:
    """Writes predictions as labels, of each class the surest part.

    Args:
        out_dir: gets `<name of the photograph without suffix>.png`: train ids, 255 where they are not sure enough.
        outputs: knows the palette.
        most_doubt: that is kept, by class, from `DoubtCounts.most_doubt`.

    Attributes:
        most_doubt: as given.
        pixels: that were taken for each class, int64, shape (num_classes,).
        kept: how many of those became labels, int64, shape (num_classes,).
    """

    def __init__(self, out_dir: Path, outputs: Outputs, most_doubt: np.ndarray) -> None:
        self._out_dir, self._outputs, self.most_doubt = out_dir, outputs, most_doubt
        self.pixels, self.kept = (np.zeros(len(most_doubt), np.int64) for _ in range(2))

    def write(self, source: SourceImage, prediction: Prediction) -> np.ndarray:
        """Write those of one photograph, and return them."""
        labels = pseudo_labels(prediction.train_ids, prediction.doubt, self.most_doubt)
        for total, train_ids in ((self.pixels, prediction.train_ids), (self.kept, labels)):
            total += np.bincount(train_ids.ravel(), minlength=256)[: len(total)]
        write_index_png((self._out_dir / source.name).with_suffix(".png"), labels, self._outputs.palette)
        return labels


def refuse_twins(images: Sequence[SourceImage]) -> None:
    """Raise a ValueError if two photographs would get one pseudo-label."""
    taken: dict[Path, Path] = {}
    for image in images:
        name = image.name.with_suffix(".png")
        if name in taken:
            raise InvalidInputError(
                f"{taken[name]} and {image.path} would both get the pseudo-label {name}; rename one of them"
            )
        taken[name] = image.path


def _read_ahead(
    images: Sequence[SourceImage], predictor: Predictor, fail: Callable[[SourceImage, str], None]
) -> Iterator[tuple[SourceImage, Photograph]]:
    """Yield each image as it was read; of one that cannot be read `fail` is told, in a sentence."""

    def read(source: SourceImage) -> ReadImage | None:
        try:
            return ReadImage(source, read_photograph(source.path, predictor.exif, bits=predictor.bits), 0.0)
        except ValueError as error:
            fail(source, " ".join(str(error).split()))
            return None

    readers = Readers()
    try:
        for (found,) in readers.groups(images, read, lambda num_pixels: 1):
            yield found.source, found.photograph
    finally:
        readers.stop()
