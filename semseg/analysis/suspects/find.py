"""Find the regions of a labelled set whose label is probably wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semseg.analysis.suspects.held_out import Judge
from semseg.analysis.suspects.regions import Candidates, find_candidates, share_around
from semseg.analysis.suspects.scoring import score_regions, typical_confidences
from semseg.config.classes import difference
from semseg.datasets.dataset_file import DatasetFile
from semseg.datasets.pairs import Pair
from semseg.datasets.samples import read_sample
from semseg.errors import InvalidConfigError, InvalidDataError
from semseg.labels import IGNORED
from semseg.visualization.drawing import Sample

if TYPE_CHECKING:
    from semseg.inference.predictor import Predictor

KINDS = {
    "class": "the whole region has another class",
    "missing": "a part has another class, and no region of that class is beside it",
    "outline": "a part has the class of a region beside it",
}
"""What may be wrong with a label, with a description."""
_SUSPICIOUS = 0.5  # score from which a region counts in the summary
_CHUNK = 100_000  # regions that are scored at a time


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
        score: 1: certainly wrong, 0 or less: the model agrees with the label.
        given_probability: mean probability of the given class in the region, 0 to 1.
        suggested_probability: mean probability of the suggested class.
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
        suspects: the worst first; only those with a score above 0.
        num_images: pictures that were judged.
        num_regions: regions of the labels that were judged, by class, int64, shape (num_classes,).
        num_suspicious: regions and parts of regions of each class with a score of at least 0.5, as `num_regions`.
        typical: mean probability of the given class in the regions of each class, nan without a region.
    """

    suspects: list[Suspect]
    num_images: int
    num_regions: np.ndarray
    num_suspicious: np.ndarray
    typical: np.ndarray


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

    Memory does not grow with the number of pictures: one picture's probabilities are held at a time. The numbers of
    each region wait in a temporary file until the typical probabilities of the classes are known.

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
    record = _record_type(num_classes)
    pictures = [(place, pair) for place, pairs in enumerate(shares) for pair in pairs]
    sums, num_regions = np.zeros(num_classes), np.zeros(num_classes, np.int64)
    with tempfile.TemporaryFile() as file:
        judged = judge_pictures(judges, shares, rules, open_model)
        for number, (sample, probabilities) in enumerate(judged):
            target = sample.train_ids
            candidates = find_candidates(target, probabilities, min_area_px)
            rows = _make_records(number, candidates, target, record)
            rows.tofile(file)
            whole = rows[rows["kind"] == 0]
            sums += np.bincount(whole["given"], _given_probabilities(whole), num_classes)
            num_regions += np.bincount(whole["given"], minlength=num_classes)
            on_progress(number + 1, len(pictures))
        typical = typical_confidences(sums, num_regions)
        file.seek(0)
        kept, scores, num_suspicious = _rank(file, record, typical, max_suspects)
    suspects = [
        _make_suspect(row, score, pictures[row["picture"]]) for row, score in zip(kept, scores, strict=True)
    ]
    with np.errstate(invalid="ignore"):
        return Findings(suspects, len(pictures), num_regions, num_suspicious, sums / num_regions)


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
        for pair in pairs:
            sample = read_sample(pair, rules)
            (prediction,) = predictor.predict([sample.image], probabilities=True)
            assert prediction.probabilities is not None
            yield sample, prediction.probabilities


def _record_type(num_classes: int) -> np.dtype:
    fields = [("picture", "i4"), ("box", "i4", 4), ("area", "i8"), ("kind", "i1"), ("given", "i2")]
    return np.dtype([*fields, ("probabilities", "f4", (num_classes,))])


def _make_records(number: int, candidates: Candidates, target: np.ndarray, record: np.dtype) -> np.ndarray:
    """Return the numbers of the regions of a picture; `kind` is a position in `KINDS`."""
    rows = np.zeros(len(candidates.areas), record)
    rows["picture"], rows["box"], rows["area"] = number, candidates.boxes, candidates.areas
    rows["given"], rows["probabilities"] = candidates.given, candidates.probabilities
    for place in np.flatnonzero(candidates.is_part):
        is_beside = share_around(candidates, place, target) > 0
        rows["kind"][place] = 2 if is_beside else 1
    return rows


def _given_probabilities(rows: np.ndarray) -> np.ndarray:
    return rows["probabilities"][np.arange(len(rows)), rows["given"]].astype(np.float64)


def _rank(file, record: np.dtype, typical: np.ndarray, max_suspects: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the worst records, their scores, and the number of suspicious ones by class."""
    kept, kept_scores = np.zeros(0, record), np.zeros(0)
    num_suspicious = np.zeros(len(typical), np.int64)
    while len(rows := np.fromfile(file, record, _CHUNK)):
        scores = score_regions(rows["probabilities"], rows["given"], typical)
        num_suspicious += np.bincount(rows["given"][scores >= _SUSPICIOUS], minlength=len(typical))
        kept, kept_scores = np.concatenate([kept, rows]), np.concatenate([kept_scores, scores])
        order = np.argsort(-kept_scores, kind="stable")[:max_suspects]
        order = order[kept_scores[order] > 0]
        kept, kept_scores = kept[order], kept_scores[order]
    return kept, kept_scores, num_suspicious


def _make_suspect(row: np.void, score: float, picture: tuple[int, Pair]) -> Suspect:
    given, probabilities = int(row["given"]), row["probabilities"].copy()
    given_probability = float(probabilities[given])
    probabilities[given] = -1
    suggested = int(probabilities.argmax())
    return Suspect(
        pair=picture[1],
        judge=picture[0],
        box=tuple(map(int, row["box"])),
        area_px=int(row["area"]),
        kind=list(KINDS)[row["kind"]],
        given=given,
        suggested=suggested,
        score=float(score),
        given_probability=given_probability,
        suggested_probability=float(probabilities[suggested]),
    )
