"""The pipeline: threads read ahead, the model predicts, threads write; nothing is kept."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from semseg.background import Writers
from semseg.inference.manifest import OK, Manifest
from semseg.inference.outputs import Outputs, class_shares
from semseg.inference.reading import MAX_PIXELS, Photograph, read_photograph
from semseg.inference.sources import SourceImage
from semseg.inference.summary import Summary, progress_bar
from semseg.stopping import Stopped, is_disk_full

if TYPE_CHECKING:
    from semseg.inference.predictor import Prediction, Predictor

_NUM_READERS = 2
_MAX_BATCH = 16
_BATCH_PIXELS = 2**24  # of an automatic batch: 8 photographs of 2048 x 1024
_AHEAD_PIXELS = 2**26  # that are decoded and wait for the model: 200 MB
_OF_THE_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EILSEQ, errno.EINVAL)


class _Read(NamedTuple):
    source: SourceImage
    photograph: Photograph
    seconds: float


def infer(
    predictor: Predictor,
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
        ValueError: the folder holds the account of a model with other classes.
    """
    manifest = Manifest(outputs.out_dir, outputs.classes, rank, num_ranks)
    by_source = {str(image.path): image for image in images[rank::num_ranks]}
    todo = manifest.begin(list(by_source), lambda source: skip_existing and outputs.exist(by_source[source].name))
    summary = Summary(len(by_source), num_left=len(by_source) - len(todo))
    stream = _Stream(predictor, outputs, manifest, summary, batch, max_pixels, stop_on_error)
    hint = "the same command with --skip-existing goes on"
    try:
        with signals_raise():
            stream.run([by_source[source] for source in todo])
    except Signal as stopped:
        done = summary.num_done + summary.num_left
        message = f"interrupted: {done} of {len(by_source)} images are done; {hint}"
        raise Stopped(message, 128 + stopped.number) from None
    except OSError as error:
        if not is_disk_full(error):
            raise
        message = f"cannot write to {outputs.out_dir} ({error.strerror.lower()}): make room there; {hint}"
        raise Stopped(message, 1) from error
    finally:
        with suppress(OSError):  # the disk may be full; the lines are there, only their order is not
            manifest.finish([str(image.path) for image in images])
    if geojson is not None:
        num_places = manifest.write_geojson(geojson)
        if rank == 0:
            print(f"{num_places} images say where they were taken: {geojson}")
    return summary


class _Stream:
    def __init__(
        self,
        predictor: Predictor,
        outputs: Outputs,
        manifest: Manifest,
        summary: Summary,
        batch: int | None,
        max_pixels: int,
        stop_on_error: bool,
    ) -> None:
        self._predictor, self._outputs, self._manifest, self._summary = predictor, outputs, manifest, summary
        self._batch, self._max_pixels, self._stop_on_error = batch, max_pixels, stop_on_error
        self._readers = ThreadPoolExecutor(_NUM_READERS)
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
                for group in self._groups(images):
                    self._segment(group)
            finally:
                self._readers.shutdown(wait=False, cancel_futures=True)
                self._writers.finish()
                self._summary.seconds = time.monotonic() - started
                if self._summary.num_done:
                    self._summary.shares = self._summary.shares / self._summary.num_done

    def _groups(self, images: Sequence[SourceImage]) -> Iterator[list[_Read]]:
        """Read ahead, and yield images of one size together; the oldest is always among them."""
        rest, waiting = iter(images), deque()
        num_ahead, batch = 2, 1

        def fill() -> None:
            while len(waiting) < num_ahead and (source := next(rest, None)) is not None:
                waiting.append(self._readers.submit(self._read, source))

        fill()
        while waiting:
            first = waiting.popleft().result()
            if first is not None:
                height, width = first.photograph.image.shape[:2]
                batch = self._batch or self._suitable_batch(height * width)
                # a photograph that fills the memory has few others wait behind it
                num_ahead = max(1, min(_NUM_READERS + 2 * batch, _AHEAD_PIXELS // (height * width)))
                fill()
                group = [first, *_alike(first, waiting, batch - 1)]
                fill()
                yield group
            fill()

    def _suitable_batch(self, num_pixels: int) -> int:
        """Return how many images of a size a GPU does at once; on a CPU, more than one are no faster."""
        if not str(getattr(self._predictor, "device", "cpu")).startswith("cuda"):
            return 1
        return max(1, min(_MAX_BATCH, _BATCH_PIXELS // num_pixels))

    def _read(self, source: SourceImage) -> _Read | None:
        started = time.monotonic()
        try:
            photograph = read_photograph(source.path, self._predictor.exif, self._max_pixels)
        except ValueError as error:
            self._fail(source, str(error))
            return None
        seconds = time.monotonic() - started
        self._count("read", seconds / _NUM_READERS)
        return _Read(source, photograph, seconds)

    def _segment(self, group: Sequence[_Read]) -> None:
        started = time.monotonic()
        try:
            predictions = self._predictor.predict(
                [read.photograph.image for read in group],
                confidence=True,
                probabilities=self._outputs.needs_probabilities,
            )
        except Exception as error:  # of any size and runtime; the others go on
            if len(group) > 1:  # find out whose fault it is
                for read in group:
                    self._segment([read])
            else:
                self._fail(group[0].source, f"cannot be segmented ({type(error).__name__}: {error})")
            return
        seconds = time.monotonic() - started
        self._count("predict", seconds)
        for read, prediction in zip(group, predictions, strict=True):
            num_bytes = sum(array.nbytes for array in (read.photograph.image, *prediction) if array is not None)
            spent = read.seconds + seconds / len(group)
            self._writers.submit(self._write, read.source, read.photograph, prediction, spent, num_bytes=num_bytes)

    def _write(self, source: SourceImage, photograph: Photograph, prediction: Prediction, spent: float) -> None:
        started = time.monotonic()
        try:
            paths = self._outputs.write(source.name, photograph.image, prediction)
        except OSError as error:
            if error.errno not in _OF_THE_NAME:
                raise
            self._fail(source, f"cannot be written ({error.strerror.lower()})")
            return
        except ValueError as error:
            self._fail(source, f"cannot be written ({error})")
            return
        shares = class_shares(prediction.train_ids, len(self._outputs.classes))
        height, width = prediction.train_ids.shape
        seconds = time.monotonic() - started
        row = {
            "source": source.path,
            "outputs": ";".join(str(path.relative_to(self._outputs.out_dir)) for path in paths),
            "width": width,
            "height": height,
            "seconds": f"{spent + seconds:.3f}",
            "status": OK,
            "mean_confidence": f"{prediction.confidence.mean() / 255:.4f}",
        }
        place = {"latitude": photograph.latitude, "longitude": photograph.longitude, "time": photograph.time}
        stats = {name: f"{share:.6f}" for name, share in zip(self._outputs.classes, shares, strict=True)}
        self._manifest.add(row, {"source": source.path, **place, **stats})
        with self._lock:
            self._summary.num_done += 1
            self._summary.shares = self._summary.shares + shares
        self._count("write", seconds / 2)
        self._bar.advance(self._task)

    def _fail(self, source: SourceImage, sentence: str) -> None:
        sentence = " ".join(sentence.split())
        self._console.print(f"skipped {source.path}: {sentence}", markup=False, highlight=False, soft_wrap=True)
        self._manifest.add({"source": source.path, "status": f"failed: {sentence}"})
        with self._lock:
            self._summary.failed.append(source.path)
        self._bar.advance(self._task)
        if self._stop_on_error:
            raise Stopped(f"stopped at {source.path}: {sentence} (--on-error skip goes on)", 1)

    def _count(self, stage: str, seconds: float) -> None:
        with self._lock:
            self._summary.busy[stage] += seconds


def _alike(first: _Read, waiting: deque[Future], num_wanted: int) -> list[_Read]:
    """Take up to `num_wanted` images of the same size out of those that wait."""
    found = []
    for future in list(waiting):
        if len(found) == num_wanted:
            break
        read = future.result()
        if read is None or read.photograph.image.shape == first.photograph.image.shape:
            waiting.remove(future)
            found += [read] if read is not None else []
    return found


class Signal(KeyboardInterrupt):
    """Ctrl-C or SIGTERM, `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def signals_raise() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block with `Signal`; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Signal(number)

    before: dict[int, Callable] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def rank_and_size(launcher: str) -> tuple[int, int]:
    """Return which process this is and how many there are; the processes need not meet."""
    if launcher == "none":
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
