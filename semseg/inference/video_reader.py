"""Read the frames of a video file, a camera or a stream."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Generator

import cv2
import numpy as np

from semseg.errors import InvalidInputError
from semseg.inference.sources import is_live

_FRAMES_AHEAD = 4
_DEFAULT_FPS = 25.0  # if the source does not say it: cameras, broken headers


class VideoReader:
    """Reads a video, camera or stream.

    Args:
        source: path of a file, number of a camera, or address of a stream.

    Attributes:
        live: whether it is a camera or stream: it runs until it is stopped, and frames that come too fast are dropped.
        fps: frames per second.
        num_frames: as the file says; 0 if unknown.
        num_dropped: frames of a live source that came before the last one was used.

    Raises:
        ValueError: it cannot be opened.
    """

    def __init__(self, source: str) -> None:
        self.live = is_live(source)
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # no log lines: errors are reported below
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        self._capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
        if not self._capture.isOpened():
            raise InvalidInputError(
                f"{source} is not a video, camera or stream that OpenCV can open", code="E-input-video"
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else _DEFAULT_FPS
        self.num_frames = 0 if self.live else max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.num_dropped = 0

    def frames(self) -> Generator[tuple[np.ndarray, float]]:
        """Yield frames, RGB, uint8, shape (height, width, 3), and the time at which each is shown.

        The time is in seconds after the first frame: as the file says, not necessarily in equal steps; for a live
        source, when the frame arrived. Frames are read ahead in a thread.
        """
        waiting: queue.Queue = queue.Queue(1 if self.live else _FRAMES_AHEAD)
        ended = threading.Event()
        reader = threading.Thread(target=self._read, args=(waiting, ended), daemon=True)
        reader.start()
        try:
            first_s, last_s = None, -1.0
            while (item := waiting.get()) is not None:
                frame, read_s = item
                first_s = read_s if first_s is None else first_s
                shown_s = read_s - first_s
                if shown_s <= last_s:  # the file has no times, or wrong ones
                    shown_s = last_s + 1 / self.fps
                last_s = shown_s
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), shown_s
        finally:
            ended.set()
            reader.join()
            self._capture.release()

    def _read(self, waiting: queue.Queue, ended: threading.Event) -> None:
        item: tuple | None = ()
        while item is not None and not ended.is_set():
            is_read, frame = self._capture.read()
            read_s = time.monotonic() if self.live else self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            item = (frame, read_s) if is_read else None
            if self.live and item is not None:
                try:
                    waiting.get_nowait()  # the model has not used it yet: replace it by the newest frame
                    self.num_dropped += 1
                except queue.Empty:
                    pass
            while not ended.is_set():
                try:
                    waiting.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
