"""Videos and cameras: frame by frame in, overlays and masks out."""

from __future__ import annotations

import queue
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image
from rich.console import Console

from semseg.atomic import atomic_path
from semseg.background import Writers
from semseg.index_png import write_index_png
from semseg.inference.manifest import OK, Manifest, Row, describe_outputs, whole_outputs
from semseg.inference.outputs import Outputs, class_shares
from semseg.inference.sources import is_live
from semseg.inference.summary import progress_bar
from semseg.stopping import Signal, Stopped, signals_raise

if TYPE_CHECKING:
    from semseg.inference.predictor import Predictor

KINDS = ("frames", "masks")
"""What is written beside the overlay, one file per frame: the photographs, the train ids."""

_FRAMES_AHEAD = 4
_DEFAULT_FPS = 25.0  # of what does not say: cameras, broken headers


class Clip:
    """A video, camera or stream that is being read.

    Args:
        source: path of a file, number of a camera, or address of a stream.

    Attributes:
        live: it goes on until it is stopped, and frames that come too fast are dropped.
        fps: frames per second.
        num_frames: as the file says; 0 if unknown.
        num_dropped: frames that were not waited for.

    Raises:
        ValueError: it cannot be opened.
    """

    def __init__(self, source: str) -> None:
        self.live = is_live(source)
        self._capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
        if not self._capture.isOpened():
            raise ValueError(f"{source} is not a video, camera or stream that OpenCV can open")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else _DEFAULT_FPS
        self.num_frames = 0 if self.live else max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.num_dropped = 0

    def frames(self) -> Iterator[np.ndarray]:
        """Yield RGB, uint8, shape (height, width, 3), read ahead in a thread."""
        waiting: queue.Queue = queue.Queue(1 if self.live else _FRAMES_AHEAD)
        ended = threading.Event()
        reader = threading.Thread(target=self._read, args=(waiting, ended), daemon=True)
        reader.start()
        try:
            while (frame := waiting.get()) is not None:
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            ended.set()
            reader.join()
            self._capture.release()

    def _read(self, waiting: queue.Queue, ended: threading.Event) -> None:
        frame = True
        while frame is not None and not ended.is_set():
            found, frame = self._capture.read()
            frame = frame if found else None
            if self.live and frame is not None:
                try:
                    waiting.get_nowait()  # the model has not come to it: the newest counts
                    self.num_dropped += 1
                except queue.Empty:
                    pass
            while not ended.is_set():
                try:
                    waiting.put(frame, timeout=0.1)
                    break
                except queue.Full:
                    continue


class Smoother:
    """Averages the probabilities of a pixel over time, the past fading out.

    Args:
        share: of the past in each frame, 0 to below 1; 0.5 halves the weight of each frame with the next.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._mean: np.ndarray | None = None

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Take in a frame.

        Args:
            probabilities: shape (num_classes, height, width).

        Returns:
            Train ids, uint8, shape (height, width).
        """
        if self._mean is None or self._mean.shape != probabilities.shape:
            self._mean = probabilities.astype(np.float32)
        else:
            self._mean *= self._share
            self._mean += (1 - self._share) * probabilities.astype(np.float32)
        return self._mean.argmax(axis=0).astype(np.uint8)


def segment_videos(
    predictor: Predictor,
    sources: Sequence[str],
    outputs: Outputs,
    *,
    extras: Sequence[str] = (),
    smooth: float = 0.0,
    skip_existing: bool = False,
    stop_on_error: bool = False,
) -> list[str]:
    """Segment videos one after the other, with `manifest.csv` and `stats.csv` as for photographs.

    `vis/NAME.mp4` is the overlay, `frames/NAME/` and `masks/NAME/` hold single frames. A camera or stream goes on until
    Ctrl-C or its end, and what was written until then is kept; a file that is interrupted leaves no overlay, and one
    that cannot be read is reported, recorded and skipped.

    Args:
        predictor: the model.
        sources: see `Clip`.
        outputs: how overlays look, and where they lie.
        extras: out of `KINDS`.
        smooth: see `Smoother`; 0 takes each frame by itself.
        skip_existing: leave files alone whose overlay is there.
        stop_on_error: end at the first file that cannot be read.

    Returns:
        The files that could not be read.

    Raises:
        FileNotFoundError, ValueError: no such file, a camera or stream that cannot be opened, an unknown extra, or two
            videos of one name.
        Stopped: Ctrl-C or SIGTERM while a file was segmented, or an error with `stop_on_error`.
    """
    check_extras(extras)
    names: dict[str, str] = {}
    for source in sources:
        name = _name(source)
        if name in names:
            raise ValueError(f"{names[name]} and {source} would both write vis/{name}.mp4; rename one of them")
        names[name] = source
    for source in sources:
        if not is_live(source) and not Path(source).is_file():
            raise FileNotFoundError(f"no video {source}")
    manifest = Manifest(outputs.out_dir, outputs.classes)
    by_name = {f"{name}.mp4": source for name, source in names.items()}  # a photograph may have the same stem

    def is_done(name: str, row: Row) -> bool:
        if not skip_existing or is_live(by_name[name]):
            return False
        written = [Path("vis", name), *(Path(kind, Path(name).stem) for kind in extras)]
        return {outputs.out_dir / path for path in written} <= whole_outputs(row, outputs.out_dir)

    failed = []
    for name in manifest.begin(by_name, is_done):
        source = by_name[name]
        try:
            row, stats = _segment_video(predictor, source, Path(name).stem, outputs, extras, smooth)
        except ValueError as error:
            if is_live(source):
                raise
            print(f"skipped {error}", file=sys.stderr)
            manifest.add({"source": source, "name": name, "status": f"failed: {error}"})
            failed.append(source)
            if stop_on_error:
                raise Stopped(f"stopped: {error} (--on-error skip goes on)", 1) from error
        else:
            manifest.add({"source": source, "name": name, **row}, {"source": source, "name": name, **stats})
    manifest.finish(list(by_name))
    return failed


def check_extras(extras: Sequence[str]) -> None:
    """Raise a ValueError if there is no such output of a video."""
    for kind in extras:
        if kind not in KINDS:
            raise ValueError(f"--save {kind}: of a video, expected some of {', '.join(KINDS)}")


def _name(source: str) -> str:
    if source.isdecimal():
        return f"camera{source}"
    stem = source.rpartition("/")[2].partition("?")[0] if "://" in source else source
    return re.sub(r"[^\w.-]+", "_", Path(stem).stem) if "://" in source else Path(stem).stem


def _segment_video(
    predictor: Predictor, source: str, name: str, outputs: Outputs, extras: Sequence[str], smooth: float
) -> tuple[dict, dict]:
    """Return what the manifest and the statistics say of a video."""
    clip = Clip(source)
    smoother = Smoother(smooth) if smooth else None
    started, num_frames, shares, shape = time.monotonic(), 0, 0.0, None
    path = outputs.out_dir / "vis" / f"{name}.mp4"
    writers = Writers()
    with atomic_path(path) as temporary, progress_bar(Console(stderr=True), "frames") as bar:
        task, video = bar.add_task(name, total=clip.num_frames or None), None
        try:
            with signals_raise(), closing(clip.frames()) as frames:
                for frame in frames:
                    (prediction,) = predictor.predict([frame], probabilities=smoother is not None)
                    train_ids = smoother(prediction.probabilities) if smoother else prediction.train_ids
                    if video is None:
                        shape = frame.shape[:2]
                        video = _open_video(temporary, clip.fps, shape)
                    overlay = outputs.overlay(frame, train_ids)
                    if overlay.shape[:2] != shape:  # a stream that changes its size
                        overlay = cv2.resize(overlay, shape[::-1])
                    video.write(cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
                    if extras:
                        size = frame.nbytes + train_ids.nbytes
                        place = outputs, name, num_frames, extras
                        writers.submit(_write_frame, *place, frame, train_ids, num_bytes=size)
                    num_frames += 1
                    shares = shares + class_shares(train_ids, len(outputs.classes))
                    bar.advance(task)
        except Signal as stopped:
            if not clip.live:
                message = f"interrupted in frame {num_frames} of {source}: its overlay is not kept"
                raise Stopped(message, 128 + stopped.number) from None
        finally:
            writers.finish()
            if video is not None:
                video.release()
        if not num_frames:
            raise ValueError(f"{source} holds no frame that OpenCV can read")
    seconds = time.monotonic() - started
    dropped = f", {clip.num_dropped} dropped" if clip.live else ""
    if num_frames < clip.num_frames:
        dropped = f", after which nothing could be read of the {clip.num_frames} that the file speaks of"
    print(f"{source}: {num_frames} frames in {seconds:.1f} s, {num_frames / seconds:.2f} frames/s{dropped}: {path}")
    written = [path, *(outputs.out_dir / kind / name for kind in extras)]
    row = {
        **describe_outputs(written, outputs.out_dir),
        "width": shape[1],
        "height": shape[0],
        "seconds": f"{seconds:.3f}",
        "status": OK,
    }
    means = shares / num_frames
    return row, {name: f"{share:.6f}" for name, share in zip(outputs.classes, means, strict=True)}


def _open_video(path: Path, fps: float, shape: tuple[int, int]) -> cv2.VideoWriter:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, shape[::-1])
    if not video.isOpened():
        raise ValueError(f"OpenCV cannot write an mp4v video of {shape[1]}x{shape[0]} pixels")
    return video


def _write_frame(
    outputs: Outputs, name: str, number: int, extras: Sequence[str], frame: np.ndarray, train_ids: np.ndarray
) -> None:
    if "frames" in extras:
        with atomic_path(outputs.out_dir / "frames" / name / f"{number:06d}.jpg") as temporary:
            Image.fromarray(frame).save(temporary, quality=95)
    if "masks" in extras:
        write_index_png(outputs.out_dir / "masks" / name / f"{number:06d}.png", train_ids, outputs.palette)
