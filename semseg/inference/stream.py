"""Segment many images: threads read ahead, the model predicts, threads write; results are not kept in memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semseg.errors import InvalidInputError, StorageError
from semseg.inference.manifest import Row
from semseg.inference.outputs import Outputs, check_sources_stay
from semseg.inference.reading import MAX_PIXELS
from semseg.inference.recorded_outputs import whole_outputs
from semseg.inference.recorder import Recorder
from semseg.inference.run_record import Record
from semseg.inference.run_summary import Summary
from semseg.inference.shards import Shard, open_tables
from semseg.inference.sources import SourceImage
from semseg.inference.stages import Stages
from semseg.inference.stored_results import StoredResults
from semseg.system.atomic import disk_error, disk_remedy, is_disk_fault
from semseg.system.stopping import Signal, Stopped, signals_raise

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor


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
    run: Record | None = None,
    shard: Shard | None = None,
    rank: int = 0,
    num_ranks: int = 1,
    stored: StoredResults | None = None,
) -> Summary:
    """Segment images, and write each result as soon as it exists, with `manifest.csv` and `stats.csv`.

    An image that cannot be segmented is reported, recorded and skipped.

    Args:
        predictor: the model.
        images: from `find_images`, of all shards; with several processes, each segments a part of them.
        outputs: what is written.
        batch: images of one size that are segmented at once; None: chosen for the device.
        skip_existing: skip images whose results exist and are complete.
        stop_on_error: end at the first image that cannot be segmented.
        max_pixels: of an image; larger images are not read.
        geojson: a file for the places of the photographs.
        run: what decides about the results, from `describe_run`; None: not known.
        shard: the part of the images that is segmented, with tables of its own, see `shards.py`; None: all images.
        rank: of this process.
        num_ranks: number of processes.
        stored: sends the results from the folder of `outputs` to a storage.

    Raises:
        Stopped: Ctrl-C, SIGTERM, a full disk, or an error with `stop_on_error`; finished results are on the disk.
        ValueError: the folder holds the tables of a model with other classes, or confidence or probabilities are to be
            written, and the model has none, or those of `open_tables`.
    """
    from_probabilities = {"conf", "probs"} & set(outputs.kinds)
    if from_probabilities and not predictor.has_probabilities:
        raise InvalidInputError(
            f"`save` {min(from_probabilities)}: this model has no probabilities; leave it out",
            code="E-input-no-probabilities",
        )
    if outputs.needs_probabilities and not predictor.gives_all_probabilities:
        raise InvalidInputError(
            "`save` probs: an exported model gives the winning class only; name its checkpoint instead",
            code="E-input-no-probabilities",
        )
    if stored is not None:
        stored.fetch_tables()
        if skip_existing:
            stored.list_sizes()
    check_sources_stay(images, outputs.out_dir, outputs.kinds)
    by_name = {image.name.as_posix(): image for image in images}
    summary = Summary(0, np.zeros(len(outputs.classes)))

    def is_done(name: str, row: Row) -> bool:
        if not skip_existing:
            return False
        whole = whole_outputs(row, outputs.out_dir) if stored is None else stored.whole_outputs(row)
        if not outputs.are_among(by_name[name].name, whole):
            return False
        summary.kinds |= {path.relative_to(outputs.out_dir).parts[0] for path in whole}
        return True

    sources = {name: str(image.path) for name, image in by_name.items()}
    options = {"keeps_results": skip_existing, "run": run, "shard": shard, "rank": rank, "num_ranks": num_ranks}
    unsent = None
    with open_tables(outputs.out_dir, outputs.classes, sources, is_done, **options) as (manifest, names, todo):
        summary.num_images, summary.num_left = len(names), len(names) - len(todo)
        summary.num_replaced = manifest.num_replaced
        recorder = Recorder(outputs, manifest, summary, stop_on_error)
        stream = Stages(predictor, outputs, recorder, batch, max_pixels, stored)
        started = time.monotonic()
        hint = "the same command with --skip-existing goes on"
        try:
            if stored is not None:
                stored.send_tables()  # without the images that follow; and fails at once if nothing can be written
            with signals_raise():
                stream.run([by_name[name] for name in todo])
        except Signal as stopped:
            done = summary.num_done + summary.num_left
            message = f"interrupted: {done} of {len(names)} images are done; {hint}"
            raise Stopped(message, 128 + stopped.number) from None
        except StorageError as error:
            raise Stopped(f"{error} [{error.code}]; {hint}", 1) from None
        except OSError as error:
            if not is_disk_fault(error):
                raise
            reason = (error.strerror or "").lower()
            message = f"cannot write to {outputs.out_dir} ({reason}): {disk_remedy(error)}; {hint}"
            raise Stopped(message, 1) from disk_error(error, outputs.out_dir)
        finally:
            summary.seconds = time.monotonic() - started
            if summary.num_with_data:
                summary.shares = summary.shares / summary.num_with_data
            with suppress(OSError):  # the disk may be full; all rows are in the tables, only not sorted
                manifest.finish(list(by_name))
            unsent = None if stored is None else _send_tables(stored)
    if unsent is not None:
        raise Stopped(f"the results are written, and their tables are not: {unsent} [{unsent.code}]; {hint}", 1)
    if geojson is not None:
        num_places = manifest.write_geojson(geojson)
        if rank == 0:
            print(f"{num_places} images say where they were taken: {geojson}")
    return summary


def _send_tables(stored: StoredResults) -> StorageError | None:
    """Send the tables at the end of a run, and return what prevented it."""
    try:
        stored.send_tables()
    except StorageError as error:
        return error
    return None
