"""The stages of a run: threads read ahead, the model predicts, threads write; results are not kept in memory."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from semseg.datasets.scaling import TooNarrowError
from semseg.errors import MissingStorageError, StorageError
from semseg.evaluation.finite import NotFiniteError
from semseg.inference.outputs import Outputs, class_shares, mean_confidence, shares_of_counts
from semseg.inference.prediction import without_nodata
from semseg.inference.read_ahead import NUM_READERS, NUM_READERS_OF_OBJECTS, Readers, ReadImage
from semseg.inference.reading import Photograph, TooManyPixelsError, read_photograph
from semseg.inference.recorder import ImageResult, Recorder
from semseg.inference.sources import SourceImage
from semseg.inference.stored_results import StoredResults
from semseg.system.background import Writers
from semseg.system.folders import TIFF_SUFFIXES
from semseg.system.objects.addresses import Address
from semseg.system.objects.local_copies import local_file
from semseg.system.stopping import is_disk_full

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor, Prediction
    from semseg.inference.predictor import Predictor

_MAX_BATCH = 16
_BATCH_PIXELS = 2**24  # of an automatic batch: 8 photographs of 2048 x 1024
_NUM_SENDERS = 16  # threads that write results to a storage
_MOST_FAILED_OBJECTS = 8  # one after the other; then the storage is to blame, not the object
_ERRORS_OF_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL)


class Stages:
    """Runs the reader threads, the model and the writer threads."""

    def __init__(
        self,
        predictor: ImagePredictor,
        outputs: Outputs,
        recorder: Recorder,
        batch: int | None,
        max_pixels: int,
        stored: StoredResults | None,
    ) -> None:
        self._stored = stored
        self._num_failed_objects, self._num_readers = 0, NUM_READERS
        self._predictor, self._outputs, self._recorder = predictor, outputs, recorder
        self._batch, self._max_pixels = batch, max_pixels
        self._writers = Writers() if stored is None else Writers(_NUM_SENDERS)

    def run(self, images: Sequence[SourceImage]) -> None:
        """Segment all images; what was predicted before an error is written."""
        self._recorder.start(len(images))
        is_remote = any(isinstance(image.path, Address) for image in images)
        self._num_readers = NUM_READERS_OF_OBJECTS if is_remote else NUM_READERS
        readers = Readers(self._num_readers)
        with self._recorder.bar:
            try:
                for group in readers.groups(images, self._read, self._batch_of):
                    self._segment(group)
            finally:
                readers.stop()
                self._writers.finish()

    def _batch_of(self, num_pixels: int) -> int:
        """Return how many images of a size are segmented at once; on a CPU one, since more are not faster."""
        if self._batch:
            return self._batch
        if not str(getattr(self._predictor, "device", "cpu")).startswith("cuda"):
            return 1
        return max(1, min(_MAX_BATCH, _BATCH_PIXELS // num_pixels))

    def _read(self, source: SourceImage) -> ReadImage | None:
        started = time.monotonic()
        try:
            predictor = self._predictor
            with local_file(source.path) as path:
                self._num_failed_objects = 0
                photograph = read_photograph(path, predictor.exif, self._max_pixels, predictor.bits, predictor.bands)
        except StorageError as error:
            self._check_storage(error)
            self._recorder.add_failed(source, str(error).removeprefix(f"{source.path}: "))
            return None
        except TooManyPixelsError as error:
            if source.path.suffix.lower() not in TIFF_SUFFIXES:
                self._recorder.add_failed(source, str(error))
                return None
            if not self._predictor.tile:
                self._recorder.add_failed(source, f"{error}; with --tile 1024 a TIFF file of any size is segmented")
                return None
            photograph = None
        except ValueError as error:
            self._recorder.add_failed(source, str(error))
            return None
        seconds = time.monotonic() - started
        self._recorder.add_time("read", seconds / self._num_readers)
        return ReadImage(source, photograph, seconds)

    def _check_storage(self, error: StorageError) -> None:
        """Raise the error of an object if it would come again for every other one."""
        self._num_failed_objects += not isinstance(error, MissingStorageError)
        of_all = error.code in ("E-storage-credentials", "E-storage-no-bucket", "E-storage-unreachable")
        if of_all or self._num_failed_objects >= _MOST_FAILED_OBJECTS:
            raise error

    def _segment(self, group: Sequence[ReadImage]) -> None:
        photographs = [read.photograph for read in group if read.photograph is not None]
        if not photographs:
            self._segment_by_tiles(group[0].source)
            return
        started = time.monotonic()
        try:
            predictions = self._predictor.predict(
                [photograph.image for photograph in photographs],
                confidence=self._predictor.has_probabilities,
                probabilities=self._outputs.needs_probabilities,
            )
        except Exception as error:  # models and runtimes raise many types; the other images go on
            if len(group) > 1:  # find out which image is the cause
                for read in group:
                    self._segment([read])
            else:
                is_known = isinstance(error, (NotFiniteError, TooNarrowError))
                reason = str(error) if is_known else f"cannot be segmented ({type(error).__name__}: {error})"
                self._recorder.add_failed(group[0].source, reason)
            return
        seconds = time.monotonic() - started
        self._recorder.add_time("predict", seconds)
        for read, photograph, prediction in zip(group, photographs, predictions, strict=True):
            prediction = without_nodata(prediction, photograph.nodata)
            num_bytes = sum(
                array.nbytes for array in (photograph.image, photograph.shown, *prediction) if array is not None
            )
            spent = read.seconds + seconds / len(group)
            self._writers.submit(self._write, read.source, photograph, prediction, spent, num_bytes=num_bytes)

    def _write(self, source: SourceImage, photograph: Photograph, prediction: Prediction, spent: float) -> None:
        started = time.monotonic()
        try:
            paths = self._outputs.write(source.name, photograph.rgb, prediction, photograph.place)
            if self._stored is not None:
                self._stored.send(paths)
        except StorageError:
            raise
        except OSError as error:
            if error.errno not in _ERRORS_OF_NAMES:
                raise
            self._recorder.add_failed(source, f"cannot be written ({(error.strerror or '').lower()})")
            return
        except ValueError as error:
            self._recorder.add_failed(source, f"cannot be written ({error})")
            return
        height, width = prediction.train_ids.shape
        shares = class_shares(prediction.train_ids, len(self._outputs.classes))
        seconds = time.monotonic() - started
        self._recorder.add_done(
            ImageResult(
                source,
                paths,
                (height, width),
                spent + seconds,
                mean_confidence(prediction),
                shares,
                photograph.is_deep,
                {"latitude": photograph.latitude, "longitude": photograph.longitude, "time": photograph.time},
            )
        )
        if self._stored is not None:
            self._stored.remove(paths)
        self._recorder.add_time("write", seconds / (2 if self._stored is None else _NUM_SENDERS))
        self._recorder.advance()

    def _segment_by_tiles(self, source: SourceImage) -> None:
        from semseg.inference.tiff import segment_tiff

        predictor = cast("Predictor", self._predictor)  # no other one has a `tile`
        started = time.monotonic()
        done = 0.0

        def advance(share: float) -> None:
            nonlocal done
            done += share
            self._recorder.advance(share)

        paths = self._outputs.tiled_paths(source.name)
        try:
            before = predictor.precision
            with local_file(source.path) as path:
                try:
                    segmented = segment_tiff(predictor, path, paths["pred"], advance)
                except NotFiniteError:
                    if before == "fp32":
                        raise
                    self._recorder.advance(-done)
                    done = 0.0
                    segmented = segment_tiff(predictor, path, paths["pred"], advance)
        except Exception as error:
            if is_disk_full(error):
                raise
            self._recorder.advance(-done)
            if isinstance(error, StorageError):
                self._check_storage(error)
            is_known = isinstance(error, (ValueError, StorageError))
            reason = str(error) if is_known else f"cannot be segmented ({type(error).__name__}: {error})"
            self._recorder.add_failed(source, reason)
            return
        self._outputs.write_overview(source.name, segmented.overview, segmented.overview_train_ids)
        if self._stored is not None:
            self._stored.send(paths.values())
        shares = shares_of_counts(segmented.counts, len(self._outputs.classes))
        seconds = time.monotonic() - started
        self._recorder.add_done(
            ImageResult(
                source,
                list(paths.values()),
                segmented.shape,
                seconds,
                segmented.confidence,
                shares,
                segmented.is_deep,
                {},
            )
        )
        if self._stored is not None:
            self._stored.remove(paths.values())
        self._recorder.add_time("predict", seconds)
        self._recorder.advance(1 - done)
