"""Find the regions of a labelled set whose label is probably wrong."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semseg.analysis.suspects.held_out import Judge
from semseg.analysis.suspects.regions import Candidates, find_candidates, share_around
from semseg.analysis.suspects.scoring import score_regions
from semseg.config.classes import difference
from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.image_files import read_bands
from semseg.datasets.pairs import Pair
from semseg.datasets.samples import read_sample
from semseg.errors import InvalidConfigError
from semseg.visualization.drawing import Sample

if TYPE_CHECKING:
    from semseg.inference.predictor import Predictor

KINDS = {
    "class": "the whole region has another class",
    "missing": "a part has another class, and no region of that class is beside it",
    "outline": "a part has the class of a region beside it",
}
"""What may be wrong with a label, with a description."""


class Suspect(NamedTuple):
    """A region whose label is probably wrong.

    Attributes:
        pair: the picture and its mask.
        judge: number of the model that has judged it.
        box: left, top, width, height in pixels.
        area_px: pixels of the region.
        kind: one of `KINDS`.
        given: train id in the labels.
        suggested: train id that the model gives to it.
        score: see `score_regions`; the higher, the more certainly is the label wrong.
        given_probability: geometric mean of the probability of the given class in the region, 0 to 1.
        suggested_probability: as `given_probability`, of the suggested class.
    """

    pair: Pair
    judge: int
    box: tuple[int, int, int, int]
    area_px: int
    kind: str
    given: int
    suggested: int
    score: float
    given_probability: float
    suggested_probability: float


class Findings(NamedTuple):
    """What was found in a set.

    Attributes:
        suspects: the worst first; only regions for which the model prefers another class, without the parts of a
            region that is one itself.
        num_images: pictures that were judged.
        num_regions: regions of the labels, by class, int64, shape (num_classes,).
        num_contradicted: those for which the model prefers another class, as `num_regions`.
        num_parts: contradicted parts of the other regions, as `num_regions`.
    """

    suspects: list[Suspect]
    num_images: int
    num_regions: np.ndarray
    num_contradicted: np.ndarray
    num_parts: np.ndarray


def find_suspects(
    judges: Sequence[Judge],
    shares: Sequence[Sequence[Pair]],
    rules: DatasetFile,
    open_model: Callable[[Path], Predictor],
    min_area_px: int,
    max_suspects: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Judge every region of some pictures, and rank those that are probably labelled wrong.

    Memory does not grow with the number of pictures: one picture's probabilities are held at a time, and the worst
    regions so far.

    Args:
        judges: the models.
        shares: the pictures that each of them judges.
        rules: of the data set.
        open_model: opens a checkpoint.
        min_area_px: smaller regions are not judged.
        max_suspects: keep this number of suspects.
        on_progress: called with the number of pictures done, and of all.

    Raises:
        FileNotFoundError, ValueError: a picture or a mask cannot be read, or a model has other classes than the set.
    """
    num_classes = len(rules.classes)
    pictures = [(place, pair) for place, pairs in enumerate(shares) for pair in pairs]
    num_regions, num_contradicted, num_parts = (np.zeros(num_classes, np.int64) for _ in range(3))
    worst: list[tuple[float, int, Suspect]] = []  # a heap, the least suspicious at its top
    num_found = 0
    judged = judge_pictures(judges, shares, rules, open_model)
    for number, ((place, pair), (sample, probabilities)) in enumerate(zip(pictures, judged, strict=True), 1):
        candidates = find_candidates(sample.train_ids, probabilities, min_area_px)
        scores, suggested, is_contradicted = score_regions(candidates.log_probabilities, candidates.given)
        is_whole = ~candidates.is_part
        num_regions += np.bincount(candidates.given[is_whole], minlength=num_classes)
        num_contradicted += np.bincount(candidates.given[is_whole & is_contradicted], minlength=num_classes)
        # who looks at a contradicted region sees its parts: they would fill the list with the same faults
        is_listed = is_contradicted & (is_whole | ~is_contradicted[candidates.whole])
        num_parts += np.bincount(candidates.given[~is_whole & is_listed], minlength=num_classes)
        for index in np.flatnonzero(is_listed).tolist():
            num_found += 1
            if len(worst) == max_suspects and scores[index] <= worst[0][0]:
                continue
            suspect = _make_suspect(candidates, index, scores[index], int(suggested[index]), sample, pair, place)
            entry = (suspect.score, -num_found, suspect)  # of equal scores, the first stays
            if len(worst) < max_suspects:
                heapq.heappush(worst, entry)
            else:
                heapq.heapreplace(worst, entry)
        on_progress(number, len(pictures))
    suspects = [suspect for *_, suspect in sorted(worst, reverse=True)]
    return Findings(suspects, len(pictures), num_regions, num_contradicted, num_parts)


def judge_pictures(
    judges: Sequence[Judge],
    shares: Sequence[Sequence[Pair]],
    rules: DatasetFile,
    open_model: Callable[[Path], Predictor],
) -> Iterator[tuple[Sample, np.ndarray]]:
    """Yield pictures with the probabilities of the model that judges them: shape (num_classes, height, width).

    Raises:
        FileNotFoundError, ValueError: as in `find_suspects`.
    """
    for judge, pairs in zip(judges, shares, strict=True):
        if not pairs:
            continue
        predictor = open_model(judge.checkpoint)
        if tuple(predictor.classes) != rules.classes:
            raise InvalidConfigError(
                f"{judge.checkpoint} and {rules.path} have other classes:"
                f" {difference(predictor.classes, rules.classes)}; take a model of the classes of the set",
                code="E-checkpoint-classes",
            )
        bands = predictor.bands
        if (bands is None) != (rules.bands is None):
            reads, has = ("photographs", "bands") if bands is None else ("bands", "photographs")
            raise InvalidConfigError(
                f"{judge.checkpoint} reads {reads}, and {rules.path} describes {has}; take a model of this set",
                code="E-config-bands",
            )
        for pair in pairs:
            sample = read_sample(pair, rules, bands)
            image = sample.image if bands is None else read_bands(pair.image_path, bands, rules.exif).image
            (prediction,) = predictor.predict([image], probabilities=True)
            assert prediction.probabilities is not None
            yield sample, prediction.probabilities


def _make_suspect(
    candidates: Candidates, index: int, score: float, suggested: int, sample: Sample, pair: Pair, judge: int
) -> Suspect:
    kind = "class"
    if candidates.is_part[index]:
        kind = "outline" if share_around(candidates, index, suggested, sample.train_ids) > 0 else "missing"
    left, top, width, height = map(int, candidates.boxes[index])
    given = int(candidates.given[index])
    return Suspect(
        pair=pair,
        judge=judge,
        box=(left, top, width, height),
        area_px=int(candidates.areas[index]),
        kind=kind,
        given=given,
        suggested=suggested,
        score=float(score),
        given_probability=float(np.exp(candidates.log_probabilities[index, given])),
        suggested_probability=float(np.exp(candidates.log_probabilities[index, suggested])),
    )
