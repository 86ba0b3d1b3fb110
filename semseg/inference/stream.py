"""The pipeline: threads read ahead, the model predicts, threads write; nothing is kept."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from semseg.datasets.scaling import TooNarrowError
from semseg.errors import InvalidInputError
from semseg.evaluation.finite import NotFiniteError
from semseg.inference.manifest import OK, Manifest, Row, describe_outputs, whole_outputs
from semseg.inference.outputs import Outputs, check_sources_stay, class_shares, mean_confidence, shares_of_counts
from semseg.inference.prediction import without_nodata
from semseg.inference.read_ahead import NUM_READERS, Readers, ReadImage
from semseg.inference.reading import MAX_PIXELS, Photograph, TooManyPixelsError, read_photograph
from semseg.inference.run_summary import Summary, progress_bar
from semseg.inference.sources import SourceImage
from semseg.system.background import Writers
from semseg.system.folders import TIFF_SUFFIXES
from semseg.system.stopping import Signal, Stopped, is_disk_full, signals_raise

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor, Prediction

_MAX_BATCH = 16
_BATCH_PIXELS = 2**24  # of an automatic batch: 8 photographs of 2048 x 1024
_OF_THE_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL)


def infer(
    predictor: ImagePredictor,
    images: Sequence[SourceImage],
    outputs: Outputs,
    *,
    batch: int | None = None,
    skip_existing: bool = False,
    stop_on_error: bool = False,
    max_pixels: int = MAX_PIXELS,
    geojson: Path | None = None,
    rank: int = 0,
    num_ranks: int = 1,
) -> Summary:
    """Segment images, and write each result as soon as it exists, with `manifest.csv` and `stats.csv`.

    An image that cannot be read is reported, recorded and skipped.

    Args:
        predictor: the model.
        images: from `find_images`; of several processes, each takes its share of them.
        outputs: what is written.
        batch: images of one size that are segmented at once; None: what suits the device.
        skip_existing: leave images alone whose results are all there.
        stop_on_error: end at the first image that cannot be segmented.
        max_pixels: of an image; more are not read.
        geojson: a file for the places of the photographs.
        rank: which process this is.
        num_ranks: how many there are.

    Raises:
        Stopped: Ctrl-C, SIGTERM, a full disk, or an error with `stop_on_error`; what was finished is on the disk.
        ValueError: the folder holds the account of a model with other classes, or confidence is to be written of a
            model that has none.
    """
    unsure = {"conf", "probs"} & set(outputs.kinds)
    if unsure and not predictor.has_probabilities:
        raise InvalidInputError(f"--save {min(unsure)}: this model has no probabilities; leave it out")
    if outputs.needs_probabilities and not predictor.gives_all_probabilities:
        raise InvalidInputError(
            "--save probs: an exported model gives the winning class only; name its checkpoint instead"
        )
    manifest = Manifest(outputs.out_dir, outputs.classes, rank, num_ranks)
    check_sources_stay(images, outputs.out_dir, outputs.kinds)
    by_name = {image.name.as_posix(): image for image in images[rank::num_ranks]}
    summary = Summary(len(by_name))

    def is_done(name: str, row: Row) -> bool:
        whole = whole_outputs(row, outputs.out_dir) if skip_existing else set()
        if not skip_existing or not outputs.are_among(by_name[name].name, whole):
            return False
        summary.kinds |= {path.relative_to(outputs.out_dir).parts[0] for path in whole}
        return True

    todo = manifest.begin({name: str(image.path) for name, image in by_name.items()}, is_done)
    summary.num_left, summary.num_replaced = len(by_name) - len(todo), manifest.num_replaced
    stream = _Stream(predictor, outputs, manifest, summary, batch, max_pixels, stop_on_error)
    hint = "the same command with --skip-existing goes on"
    try:
        with signals_raise():
            stream.run([by_name[name] for name in todo])
    except Signal as stopped:
        done = summary.num_done + summary.num_left
        message = f"interrupted: {done} of {len(by_name)} images are done; {hint}"
        raise Stopped(message, 128 + stopped.number) from None
    except OSError as error:
        if not is_disk_full(error):
            raise
        message = f"cannot write to {outputs.out_dir} ({error.strerror.lower()}): make room there; {hint}"
        raise Stopped(message, 1) from error
    finally:
        with suppress(OSError):  # the disk may be full; the lines are there, only their order is not
            manifest.finish([image.name.as_posix() for image in images])
    if geojson is not None:
        num_places = manifest.write_geojson(geojson)
        if rank == 0:
            print(f"{num_places} images say where they were taken: {geojson}")
    return summary


class _Stream:
    def __init__(
        self,
        predictor: ImagePredictor,
        outputs: Outputs,
        manifest: Manifest,
        summary: Summary,
        batch: int | None,
        max_pixels: int,
        stop_on_error: bool,
    ) -> None:
        self._predictor, self._outputs, self._manifest, self._summary = predictor, outputs, manifest, summary
        self._batch, self._max_pixels, self._stop_on_error = batch, max_pixels, stop_on_error
        self._readers = Readers()
        self._writers = Writers()
        self._lock = threading.Lock()  # of the summary
        self._console = Console(stderr=True)
        self._bar = progress_bar(self._console)

    def run(self, images: Sequence[SourceImage]) -> None:
        """Segment all of them; whatever happens, what is predicted is written."""
        started = time.monotonic()
        with self._bar:
            self._task = self._bar.add_task("infer", total=len(images))
            try:
                for group in self._readers.groups(images, self._read, self._batch_of):
                    self._segment(group)
            finally:
                self._readers.stop()
                self._writers.finish()
                self._summary.seconds = time.monotonic() - started
                if self._summary.num_with_data:
                    self._summary.shares = self._summary.shares / self._summary.num_with_data

    def _batch_of(self, num_pixels: int) -> int:
        """Return how many images of a size go together; on a CPU, more than one are no faster."""
        if self._batch:
            return self._batch
        if not str(getattr(self._predictor, "device", "cpu")).startswith("cuda"):
            return 1
        return max(1, min(_MAX_BATCH, _BATCH_PIXELS // num_pixels))

    def _read(self, source: SourceImage) -> ReadImage | None:
        started = time.monotonic()
        try:
            predictor = self._predictor
            photograph = read_photograph(source.path, predictor.exif, self._max_pixels, predictor.bits)
        except TooManyPixelsError as error:
            if source.path.suffix.lower() not in TIFF_SUFFIXES:
                self._fail(source, str(error))
                return None
            if not self._predictor.tile:
                self._fail(source, f"{error}; with --tile 1024 a TIFF file of any size is segmented")
                return None
            photograph = None
        except ValueError as error:
            self._fail(source, str(error))
            return None
        seconds = time.monotonic() - started
        self._count("read", seconds / NUM_READERS)
        return ReadImage(source, photograph, seconds)

    def _segment(self, group: Sequence[ReadImage]) -> None:
        if group[0].photograph is None:
            self._segment_by_tiles(group[0].source)
            return
        started = time.monotonic()
        try:
            predictions = self._predictor.predict(
                [read.photograph.image for read in group],
                confidence=self._predictor.has_probabilities,
                probabilities=self._outputs.needs_probabilities,
            )
        except Exception as error:  # of any size and runtime; the others go on
            if len(group) > 1:  # find out whose fault it is
                for read in group:
                    self._segment([read])
            else:
                known = isinstance(error, (NotFiniteError, TooNarrowError))
                reason = str(error) if known else f"cannot be segmented ({type(error).__name__}: {error})"
                self._fail(group[0].source, reason)
            return
        seconds = time.monotonic() - started
        self._count("predict", seconds)
        for read, prediction in zip(group, predictions, strict=True):
            prediction = without_nodata(prediction, read.photograph.nodata)
            num_bytes = sum(array.nbytes for array in (read.photograph.image, *prediction) if array is not None)
            spent = read.seconds + seconds / len(group)
            self._writers.submit(self._write, read.source, read.photograph, prediction, spent, num_bytes=num_bytes)

    def _write(self, source: SourceImage, photograph: Photograph, prediction: Prediction, spent: float) -> None:
        started = time.monotonic()
        try:
            paths = self._outputs.write(source.name, photograph.image, prediction, photograph.place)
        except OSError as error:
            if error.errno not in _OF_THE_NAME:
                raise
            self._fail(source, f"cannot be written ({error.strerror.lower()})")
            return
        except ValueError as error:
            self._fail(source, f"cannot be written ({error})")
            return
        shares = class_shares(prediction.train_ids, len(self._outputs.classes))
        seconds = time.monotonic() - started
        sure = mean_confidence(prediction)
        place = {"latitude": photograph.latitude, "longitude": photograph.longitude, "time": photograph.time}
        self._record(
            source, paths, prediction.train_ids.shape, spent + seconds, sure, shares, place, photograph.is_deep
        )
        self._count("write", seconds / 2)
        self._bar.advance(self._task)

    def _segment_by_tiles(self, source: SourceImage) -> None:
        from semseg.inference.tiff import segment_tiff

        started = time.monotonic()
        done = 0.0

        def advance(share: float) -> None:
            nonlocal done
            done += share
            self._bar.advance(self._task, share)

        paths = self._outputs.tiled_paths(source.name)
        try:
            before = getattr(self._predictor, "precision", "fp32")
            try:
                found = segment_tiff(self._predictor, source.path, paths["pred"], advance)
            except NotFiniteError:
                if before == "fp32":
                    raise
                self._bar.advance(self._task, -done)
                done = 0.0
                found = segment_tiff(self._predictor, source.path, paths["pred"], advance)
        except Exception as error:
            if is_disk_full(error):
                raise
            self._bar.advance(self._task, -done)
            known = isinstance(error, ValueError)
            self._fail(source, str(error) if known else f"cannot be segmented ({type(error).__name__}: {error})")
            return
        self._outputs.write_overview(source.name, found.overview, found.overview_train_ids)
        shares = shares_of_counts(found.counts, len(self._outputs.classes))
        seconds = time.monotonic() - started
        self._record(source, list(paths.values()), found.shape, seconds, found.confidence, shares, {}, found.is_deep)
        self._count("predict", seconds)
        self._bar.advance(self._task, 1 - done)

    def _record(
        self,
        source: SourceImage,
        paths: Sequence[Path],
        size: tuple[int, int],
        seconds: float,
        confidence: float | None,
        shares: np.ndarray,
        place: dict,
        is_deep: bool,
    ) -> None:
        row = {
            "source": source.path,
            "name": source.name.as_posix(),
            **describe_outputs(paths, self._outputs.out_dir),
            "width": size[1],
            "height": size[0],
            "seconds": f"{seconds:.3f}",
            "status": OK,
            "mean_confidence": "" if confidence is None else f"{confidence:.4f}",
        }
        stats = {name: f"{share:.6f}" for name, share in zip(self._outputs.classes, shares, strict=True)}
        self._manifest.add(row, {"source": source.path, "name": source.name.as_posix(), **place, **stats})
        with self._lock:
            self._summary.num_done += 1
            self._summary.kinds |= {path.relative_to(self._outputs.out_dir).parts[0] for path in paths}
            self._summary.num_with_data += bool(shares.any())
            self._summary.num_deep += is_deep
            self._summary.shares = self._summary.shares + shares

    def _fail(self, source: SourceImage, sentence: str) -> None:
        sentence = " ".join(sentence.split())
        self._console.print(f"skipped {source.path}: {sentence}", markup=False, highlight=False, soft_wrap=True)
        row = {"source": source.path, "name": source.name.as_posix(), "status": f"failed: {sentence}"}
        self._manifest.add(row)
        with self._lock:
            self._summary.failed.append(source.path)
        self._bar.advance(self._task)
        if self._stop_on_error:
            raise Stopped(f"stopped at {source.path}: {sentence} (--on-error skip goes on)", 1)

    def _count(self, stage: str, seconds: float) -> None:
        with self._lock:
            self._summary.busy[stage] += seconds


def rank_and_size(launcher: str) -> tuple[int, int]:
    """Return which process this is and how many there are; the processes need not meet."""
    if launcher == "none":
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
