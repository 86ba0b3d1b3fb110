"""Videos and cameras: frame by frame in, overlays and masks out."""

from __future__ import annotations

import fractions
import os
import queue
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from PIL import Image
from rich.console import Console

from semseg.datasets.index_png import write_index_png
from semseg.errors import InvalidInputError
from semseg.inference.manifest import OK, Manifest, Row, describe_outputs, whole_outputs
from semseg.inference.outputs import Outputs, class_shares
from semseg.inference.run_summary import progress_bar
from semseg.inference.sources import SourceImage, is_live
from semseg.system.atomic import atomic_path
from semseg.system.background import Writers
from semseg.system.stopping import Signal, Stopped, signals_raise

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor

KINDS = ("frames", "masks")
"""What is written beside the overlay, one file per frame: the photographs, the train ids."""

_FRAMES_AHEAD = 4
_TICKS = 90_000  # per second, in which times are written
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
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: what is wrong is said below in one sentence
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
        if not self._capture.isOpened():
            raise InvalidInputError(f"{source} is not a video, camera or stream that OpenCV can open")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else _DEFAULT_FPS
        self.num_frames = 0 if self.live else max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.num_dropped = 0

    def frames(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield frames, RGB, uint8, shape (height, width, 3), read ahead in a thread, and when each is shown.

        That is in seconds after the first frame: as the file says, which need not be in equal steps; of what is live,
        when the frame arrived.
        """
        waiting: queue.Queue = queue.Queue(1 if self.live else _FRAMES_AHEAD)
        ended = threading.Event()
        reader = threading.Thread(target=self._read, args=(waiting, ended), daemon=True)
        reader.start()
        try:
            first, last = None, -1.0
            while (item := waiting.get()) is not None:
                frame, at = item
                first = at if first is None else first
                shown = at - first
                if shown <= last:  # the file does not say it, or says nonsense
                    shown = last + 1 / self.fps
                last = shown
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), shown
        finally:
            ended.set()
            reader.join()
            self._capture.release()

    def _read(self, waiting: queue.Queue, ended: threading.Event) -> None:
        item: tuple | None = ()
        while item is not None and not ended.is_set():
            found, frame = self._capture.read()
            at = time.monotonic() if self.live else self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            item = (frame, at) if found else None
            if self.live and item is not None:
                try:
                    waiting.get_nowait()  # the model has not come to it: the newest counts
                    self.num_dropped += 1
                except queue.Empty:
                    pass
            while not ended.is_set():
                try:
                    waiting.put(item, timeout=0.1)
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


class VideoWriter:
    """Write frames that are shown for different times, as H.264 in MP4: browsers and notebooks play it.

    Args:
        path: of the file.
        shape: height and width of the frames; of odd ones the last row or column is written twice.
        fps: how long the last frame is shown: one part in so many of a second.
    """

    def __init__(self, path: Path, shape: tuple[int, int], fps: float) -> None:
        self._shape, self._last_ticks = shape, -1
        self._ticks = round(_TICKS / fps)  # of the last frame
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        rate = fractions.Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "veryfast"})
        self._stream.width, self._stream.height = (side + side % 2 for side in shape[::-1])
        self._stream.pix_fmt = "yuv420p"  # what browsers know
        self._stream.time_base = self._stream.codec_context.time_base = fractions.Fraction(1, _TICKS)
        self._stream.codec_context.max_b_frames = 0  # so that the last packet is the last frame

    def write(self, frame: np.ndarray, at_s: float) -> None:
        """Write a frame, RGB, uint8, shape (height, width, 3), that is shown from a time on, in seconds."""
        if frame.shape[:2] != self._shape:  # a stream that changes its size
            frame = cv2.resize(frame, self._shape[::-1])
        edges = ((0, self._shape[0] % 2), (0, self._shape[1] % 2), (0, 0))
        picture = av.VideoFrame.from_ndarray(np.pad(frame, edges, mode="edge"), format="rgb24")
        self._last_ticks = picture.pts = max(self._last_ticks + 1, round(at_s * _TICKS))
        picture.time_base = fractions.Fraction(1, _TICKS)
        self._mux(self._stream.encode(picture))

    def close(self) -> None:
        """Write what is left, and the index."""
        self._mux(self._stream.encode())
        self._container.close()

    def _mux(self, packets: Sequence) -> None:
        for packet in packets:
            if packet.pts is not None and packet.pts >= self._last_ticks:
                packet.duration = self._ticks
            self._container.mux(packet)


def check_video_kinds(kinds: Sequence[str]) -> None:
    """Raise a ValueError for a kind of output that a video does not have."""
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidInputError(f"--save {kind}: of a video, expected some of {', '.join(KINDS)}")


def segment_videos(
    predictor: ImagePredictor,
    sources: Sequence[SourceImage | str],
    outputs: Outputs,
    *,
    extras: Sequence[str] = (),
    smooth: float = 0.0,
    skip_existing: bool = False,
    stop_on_error: bool = False,
) -> list[str]:
    """Segment videos one after the other, with `manifest.csv` and `stats.csv` as for photographs.

    `vis/NAME.mp4` is the overlay, each frame shown as long as in the source; `frames/NAME/` and `masks/NAME/` hold
    single frames. A camera or stream goes on until Ctrl-C or its end, and what was written until then is kept; a file
    that is interrupted leaves no overlay, one that cannot be read is reported, recorded and skipped, and one that
    breaks off is recorded as partial.

    Args:
        predictor: the model.
        sources: from `find_videos`, or number of a camera, or address of a stream.
        outputs: how overlays look, and where they lie.
        extras: out of `KINDS`.
        smooth: see `Smoother`; 0 takes each frame by itself.
        skip_existing: leave files alone whose results are all there, as they were written.
        stop_on_error: end at the first file that cannot be read to its end.

    Returns:
        The files that could not be read, or not to their end.

    Raises:
        ValueError: a camera or stream that cannot be opened, or an unknown extra.
        Stopped: Ctrl-C or SIGTERM while a file was segmented, or an error with `stop_on_error`.
    """
    check_video_kinds(extras)
    if smooth and not predictor.gives_all_probabilities:
        raise InvalidInputError("--smooth: an exported model gives the winning class only; name its checkpoint instead")
    by_name: dict[str, str] = {}
    for source in sources:
        live = isinstance(source, str)
        name = _name_of_live(source) if live else source.name.as_posix()
        by_name[f"{name}.mp4"] = source if live else str(source.path)  # a photograph may be called the same
    manifest = Manifest(outputs.out_dir, outputs.classes)

    def is_done(name: str, row: Row) -> bool:
        folders = {outputs.out_dir / kind / name.removesuffix(".mp4") for kind in extras}
        wanted = {outputs.out_dir / "vis" / name, *folders}
        return skip_existing and not is_live(by_name[name]) and wanted <= whole_outputs(row, outputs.out_dir)

    failed = []
    for name in manifest.begin(by_name, is_done):
        source = by_name[name]
        try:
            row, stats, fault = _segment_video(predictor, source, name.removesuffix(".mp4"), outputs, extras, smooth)
        except ValueError as error:
            if is_live(source):
                raise
            row, stats, fault = {"status": f"failed: {error}"}, None, str(error)
        whole = {"source": source, "name": name}
        manifest.add({**whole, **row}, None if stats is None else {**whole, **stats})
        if fault:
            print(fault if stats else f"skipped {fault}", file=sys.stderr)
            failed.append(source)
            if stop_on_error:
                raise Stopped(f"stopped: {fault} (--on-error skip goes on)", 1)
    manifest.finish(list(by_name))
    return failed


def _name_of_live(source: str) -> str:
    if "://" not in source:
        return f"camera{source}"
    return re.sub(r"[^\w.-]+", "_", Path(source.rpartition("/")[2].partition("?")[0]).stem) or "stream"


def _segment_video(
    predictor: ImagePredictor, source: str, name: str, outputs: Outputs, extras: Sequence[str], smooth: float
) -> tuple[dict, dict, str]:
    """Return what the manifest and the statistics say of a video, and what was wrong with it."""
    clip = Clip(source)
    smoother = Smoother(smooth) if smooth else None
    started, num_frames, shares, shape = time.monotonic(), 0, 0.0, None
    path = outputs.out_dir / "vis" / f"{name}.mp4"
    for kind in extras:  # of an earlier run with more frames
        shutil.rmtree(outputs.out_dir / kind / name, ignore_errors=True)
    writers = Writers()
    with atomic_path(path) as temporary, progress_bar(Console(stderr=True), "frames") as bar:
        task, video = bar.add_task(name, total=clip.num_frames or None), None
        try:
            with signals_raise(), closing(clip.frames()) as frames:
                for frame, at_s in frames:
                    (prediction,) = predictor.predict([frame], probabilities=smoother is not None)
                    train_ids = smoother(prediction.probabilities) if smoother else prediction.train_ids
                    if video is None:
                        shape = frame.shape[:2]
                        video = VideoWriter(temporary, shape, clip.fps)
                    video.write(outputs.overlay(frame, train_ids), at_s)
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
                video.close()
        if not num_frames:
            raise InvalidInputError(f"{source} holds no frame that OpenCV can read")
    seconds = time.monotonic() - started
    dropped = f", {clip.num_dropped} dropped" if clip.live else ""
    print(f"{source}: {num_frames} frames in {seconds:.1f} s, {num_frames / seconds:.2f} frames/s{dropped}: {path}")
    fault = ""
    if num_frames < clip.num_frames:
        fault = f"{source}: nothing could be read after {num_frames} of the {clip.num_frames} frames that it announces"
    row = {
        **describe_outputs([path, *(outputs.out_dir / kind / name for kind in extras)], outputs.out_dir),
        "width": shape[1],
        "height": shape[0],
        "seconds": f"{seconds:.3f}",
        "status": f"partial: {num_frames} of {clip.num_frames} frames" if fault else OK,
    }
    means = shares / num_frames
    return row, {name: f"{share:.6f}" for name, share in zip(outputs.classes, means, strict=True)}, fault


def _write_frame(
    outputs: Outputs, name: str, number: int, extras: Sequence[str], frame: np.ndarray, train_ids: np.ndarray
) -> None:
    if "frames" in extras:
        with atomic_path(outputs.out_dir / "frames" / name / f"{number:06d}.jpg") as temporary:
            Image.fromarray(frame).save(temporary, quality=95)
    if "masks" in extras:
        write_index_png(outputs.out_dir / "masks" / name / f"{number:06d}.png", train_ids, outputs.palette)
