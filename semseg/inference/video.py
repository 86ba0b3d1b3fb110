"""Segment videos, cameras and streams, frame by frame, and write overlays and masks."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from semseg.datasets.index_png import write_index_png
from semseg.errors import InvalidInputError
from semseg.inference.manifest import OK, Row
from semseg.inference.outputs import Outputs, class_shares
from semseg.inference.recorded_outputs import describe_outputs, whole_outputs
from semseg.inference.run_record import Record
from semseg.inference.run_summary import progress_bar
from semseg.inference.shards import Shard, open_tables
from semseg.inference.sources import SourceImage, is_live
from semseg.inference.video_reader import VideoReader
from semseg.inference.video_writer import VideoWriter
from semseg.system.atomic import atomic_path
from semseg.system.background import Writers
from semseg.system.result_names import check_inputs_stay
from semseg.system.stopping import Signal, Stopped, signals_raise
from semseg.system.wording import for_people
from semseg.visualization.picture_files import save_picture

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor

KINDS = ("frames", "masks")
"""What can be written in addition to the overlay, one file per frame: the photographs, the train ids."""


class Smoother:
    """Computes a moving average of the probabilities of each pixel over time.

    Args:
        share: of the past in each frame, 0 to below 1; with 0.5 the weight of a frame is halved with each new frame.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._mean: np.ndarray | None = None

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Add a frame to the average.

        Args:
            probabilities: shape (num_classes, height, width).

        Returns:
            Train ids by the average, uint8, shape (height, width).
        """
        if self._mean is None or self._mean.shape != probabilities.shape:
            self._mean = probabilities.astype(np.float32)
        else:
            self._mean *= self._share
            self._mean += (1 - self._share) * probabilities.astype(np.float32)
        return self._mean.argmax(axis=0).astype(np.uint8)


def check_video_kinds(kinds: Sequence[str]) -> None:
    """Raise a ValueError for a kind of output that does not exist for videos."""
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidInputError(
                f"`save` {kind}: of a video, expected some of {', '.join(KINDS)}", code="E-input-output-kind"
            )


def segment_videos(
    predictor: ImagePredictor,
    sources: Sequence[SourceImage | str],
    outputs: Outputs,
    *,
    extras: Sequence[str] = (),
    smooth: float = 0.0,
    skip_existing: bool = False,
    stop_on_error: bool = False,
    run: Record | None = None,
    shard: Shard | None = None,
) -> list[str]:
    """Segment videos one after the other, with `manifest.csv` and `stats.csv` as for photographs.

    `vis/NAME.mp4` is the overlay, in which each frame is shown as long as in the source; `frames/NAME/` and
    `masks/NAME/` hold single frames. A camera or stream is segmented until Ctrl-C or its end, and the results until
    then are kept. A file that is interrupted leaves no overlay. A file that cannot be read is reported, recorded and
    skipped; a file that cannot be read to its end is recorded as partial.

    Args:
        predictor: the model.
        sources: from `find_videos`, or number of a camera, or address of a stream.
        outputs: the folder and the style of the overlays.
        extras: some of `KINDS`.
        smooth: see `Smoother`; 0: frames are independent.
        skip_existing: skip files whose results exist and are complete.
        stop_on_error: end at the first file that cannot be read to its end.
        run: what decides about the results, from `describe_run`; None: not known.
        shard: the part of the files that is segmented, with tables of its own, see `shards.py`; None: all files.

    Returns:
        The files that could not be read, or not to their end.

    Raises:
        ValueError: a camera or stream cannot be opened, an unknown extra, or `smooth` for an exported model.
        Stopped: Ctrl-C or SIGTERM while a file was segmented, or an error with `stop_on_error`.
    """
    check_video_kinds(extras)
    if predictor.bands is not None:
        raise InvalidInputError(
            f"{sources[0]} is a video, whose frames are RGB, and the model reads bands {list(predictor.bands.bands)}:"
            " give pictures with these bands",
            code="E-input-kind",
        )
    if smooth and not predictor.gives_all_probabilities:
        raise InvalidInputError(
            "`smooth`: an exported model gives the winning class only; name its checkpoint instead",
            code="E-input-no-probabilities",
        )
    by_name: dict[str, str] = {}
    for source in sources:
        # with the suffix, since a photograph may have the same name
        if isinstance(source, str):
            by_name[f"{_name_of_live(source)}.mp4"] = source
        else:
            by_name[f"{source.name.as_posix()}.mp4"] = str(source.path)
    files = [source for source in by_name.values() if not is_live(source)]
    check_inputs_stay((outputs.out_dir / "vis" / name for name in by_name), files, "out_dir")

    def is_done(name: str, row: Row) -> bool:
        folders = {outputs.out_dir / kind / name.removesuffix(".mp4") for kind in extras}
        wanted = {outputs.out_dir / "vis" / name, *folders}
        return skip_existing and not is_live(by_name[name]) and wanted <= whole_outputs(row, outputs.out_dir)

    failed = []
    tables = open_tables(
        outputs.out_dir, outputs.classes, by_name, is_done, keeps_results=skip_existing, run=run, shard=shard
    )
    with tables as (manifest, _, todo):
        for name in todo:
            source = by_name[name]
            stem = name.removesuffix(".mp4")
            try:
                row, stats, fault = _segment_video(predictor, source, stem, outputs, extras, smooth)
            except ValueError as error:
                if is_live(source):
                    raise
                fault = for_people(str(error))
                row, stats = {"status": f"failed: {fault}"}, None
            names = {"source": source, "name": name}
            manifest.add({**names, **row}, None if stats is None else {**names, **stats})
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
    """Return the row of a video in the manifest, that in the statistics, and what is wrong with the file or empty."""
    reader = VideoReader(source)
    smoother = Smoother(smooth) if smooth else None
    started, num_frames, size = time.monotonic(), 0, (0, 0)
    shares = np.zeros(len(outputs.classes))
    path = outputs.out_dir / "vis" / f"{name}.mp4"
    for kind in extras:  # an earlier run may have written more frames
        shutil.rmtree(outputs.out_dir / kind / name, ignore_errors=True)
    writers = Writers()
    with atomic_path(path) as temporary, progress_bar(Console(stderr=True), "frames") as bar:
        task, video = bar.add_task(name, total=reader.num_frames or None), None
        try:
            with signals_raise(), closing(reader.frames()) as frames:
                for frame, at_s in frames:
                    (prediction,) = predictor.predict([frame], probabilities=smoother is not None)
                    train_ids = prediction.train_ids
                    if smoother is not None:
                        assert prediction.probabilities is not None
                        train_ids = smoother(prediction.probabilities)
                    if video is None:
                        size = (frame.shape[0], frame.shape[1])
                        video = VideoWriter(temporary, size, reader.fps)
                    video.write(outputs.overlay(frame, train_ids), at_s)
                    if extras:
                        num_bytes = frame.nbytes + train_ids.nbytes
                        arguments = outputs, name, num_frames, extras, frame, train_ids
                        writers.submit(_write_frame, *arguments, num_bytes=num_bytes)
                    num_frames += 1
                    shares += class_shares(train_ids, len(outputs.classes))
                    bar.advance(task)
        except Signal as stopped:
            if not reader.live:
                message = f"interrupted in frame {num_frames} of {source}: its overlay is not kept"
                raise Stopped(message, 128 + stopped.number) from None
        finally:
            writers.finish()
            if video is not None:
                video.close()
        if not num_frames:
            raise InvalidInputError(f"{source} holds no frame that OpenCV can read", code="E-input-video")
    seconds = time.monotonic() - started
    dropped = f", {reader.num_dropped} dropped" if reader.live else ""
    print(f"{source}: {num_frames} frames in {seconds:.1f} s, {num_frames / seconds:.2f} frames/s{dropped}: {path}")
    fault = ""
    if num_frames < reader.num_frames:
        fault = (
            f"{source}: nothing could be read after {num_frames} of the {reader.num_frames} frames that it announces"
        )
    row = {
        **describe_outputs([path, *(outputs.out_dir / kind / name for kind in extras)], outputs.out_dir),
        "width": size[1],
        "height": size[0],
        "seconds": f"{seconds:.3f}",
        "status": f"partial: {num_frames} of {reader.num_frames} frames" if fault else OK,
    }
    means = shares / num_frames
    return row, {name: f"{share:.6f}" for name, share in zip(outputs.classes, means, strict=True)}, fault


def _write_frame(
    outputs: Outputs, name: str, number: int, extras: Sequence[str], frame: np.ndarray, train_ids: np.ndarray
) -> None:
    if "frames" in extras:
        save_picture(frame, outputs.out_dir / "frames" / name / f"{number:06d}.jpg", quality=95)
    if "masks" in extras:
        write_index_png(outputs.out_dir / "masks" / name / f"{number:06d}.png", train_ids, outputs.palette)
