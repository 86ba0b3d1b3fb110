"""Write frames as a video."""

from __future__ import annotations

import fractions
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

_TICKS = 90_000  # per second: the unit of the times in the file


class VideoWriter:
    """Writes frames as H.264 in MP4, which browsers and notebooks play; each frame may be shown for another time.

    Args:
        path: of the file.
        shape: height and width of the frames; if one is odd, the last row or column is written twice.
        fps: the last frame is shown for 1 / fps seconds.
    """

    def __init__(self, path: Path, shape: tuple[int, int], fps: float) -> None:
        self._shape, self._last_ticks = shape, -1
        self._ticks = round(_TICKS / fps)  # of the last frame
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        rate = fractions.Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "veryfast"})
        self._stream.width, self._stream.height = (side + side % 2 for side in shape[::-1])
        self._stream.pix_fmt = "yuv420p"  # the only format that browsers play
        self._stream.time_base = self._stream.codec_context.time_base = fractions.Fraction(1, _TICKS)
        self._stream.codec_context.max_b_frames = 0  # so that the last packet is the last frame

    def write(self, frame: np.ndarray, at_s: float) -> None:
        """Write a frame.

        Args:
            frame: RGB, uint8, shape (height, width, 3).
            at_s: when it is shown, in seconds after the start.
        """
        height, width = self._shape
        if frame.shape[:2] != self._shape:  # a stream that changes its size
            frame = cv2.resize(frame, (width, height))
        padded: np.ndarray = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        video_frame = av.VideoFrame.from_ndarray(padded.astype(np.uint8, copy=False), format="rgb24")
        self._last_ticks = video_frame.pts = max(self._last_ticks + 1, round(at_s * _TICKS))
        video_frame.time_base = fractions.Fraction(1, _TICKS)
        self._mux(self._stream.encode(video_frame))

    def close(self) -> None:
        """Write the remaining packets and the index."""
        self._mux(self._stream.encode())
        self._container.close()

    def _mux(self, packets: Sequence) -> None:
        for packet in packets:
            if packet.pts is not None and packet.pts >= self._last_ticks:
                packet.duration = self._ticks
            self._container.mux(packet)
