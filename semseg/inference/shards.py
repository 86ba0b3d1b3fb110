"""Divide the images of a run into shards: several commands, on any machines, that write into the same folder.

A shard takes every N-th image in the order of the names of their results. These depend neither on the machine, nor on
the order of a file system or of the arguments. A shard has its own tables, `shards/2-of-8/` below the folder of the
results, so that no two shards write the same file. Beside them lies `shard.json`: the names of its images, and the
number and a digest of the names of all images. If all N shards have the same digest, their images are all the images,
each once. `merging.py` relies on that.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from semseg.errors import InvalidInputError
from semseg.inference.manifest import Manifest, Row, read_rows
from semseg.inference.run_record import (
    MASKS_DEPEND_ON,
    RECORD_NAME,
    Record,
    find_difference,
    read_plain,
    read_record,
    write_plain,
    write_record,
)
from semseg.system.claims import holder_of, take_abandoned_claim

SHARDS_NAME = "shards"
RECORD_OF_SHARD = "shard.json"
_SCHEMA = "semseg.shard/1"


class Shard(NamedTuple):
    """A part of a run.

    Attributes:
        number: 1 to `count`.
        count: number of shards.
    """

    number: int
    count: int

    def __str__(self) -> str:
        """Return it as `--shard` takes it, such as 2/8."""
        return f"{self.number}/{self.count}"

    def folder(self, out_dir: Path) -> Path:
        """Return the folder of its tables."""
        return out_dir / SHARDS_NAME / f"{self.number}-of-{self.count}"

    def select(self, names: Sequence[str]) -> list[str]:
        """Return the names of this shard among all names, in their order."""
        mine = set(sorted(names, key=_as_bytes)[self.number - 1 :: self.count])
        return [name for name in names if name in mine]


class ShardRecord(NamedTuple):
    """What a shard had to do when it was started last.

    Attributes:
        shard: which one.
        started: seconds since 1970.
        num_images: of all shards.
        images_sha256: digest of the names of the images of all shards.
        places: positions of its images among all images, by name.
        run: see `describe_run`.
        classes: of the model.
    """

    shard: Shard
    started: float
    num_images: int
    images_sha256: str
    places: dict[str, int]
    run: Record
    classes: list[str]


def parse_shard(text: str) -> Shard:
    """Return the shard that a text such as `2/8` names.

    Raises:
        ValueError: it names none.
    """
    numbers = re.fullmatch(r"([0-9]+)/([0-9]+)", text.strip())
    if numbers is None or int(numbers[2]) < 1:
        raise InvalidInputError(
            f"`shard` {text}: expected I/N, such as 2/8 for the second of 8 parts", code="E-input-range"
        )
    shard = Shard(int(numbers[1]), int(numbers[2]))
    if not 1 <= shard.number <= shard.count:
        raise InvalidInputError(
            f"`shard` {text}: the parts are numbered 1/{shard.count} to {shard.count}/{shard.count}; start a Slurm"
            f" array with --array=1-{shard.count}",
            code="E-input-range",
        )
    return shard


def rank_and_size(launcher: str) -> tuple[int, int]:
    """Return the rank of this process and the number of processes, which need not join a process group."""
    if launcher == "none":
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


@contextmanager
def open_tables(
    out_dir: Path,
    classes: Sequence[str],
    sources: Mapping[str, str],
    is_done: Callable[[str, Row], bool],
    *,
    keeps_results: bool = False,
    run: Record | None = None,
    shard: Shard | None = None,
    rank: int = 0,
    num_ranks: int = 1,
) -> Generator[tuple[Manifest, list[str], list[str]]]:
    """Open the tables of a run, or of a shard of it.

    Args:
        out_dir: the folder of the results.
        classes: of the model.
        sources: path of each image of the whole run, by the name of its results.
        is_done: called with the name and the row of an image that was segmented before, also in another shard or
            another division; returns whether to keep its results.
        keeps_results: whether `is_done` keeps any.
        run: see `describe_run`; None: not known.
        shard: the part of the images that is segmented; None: all.
        rank: of this process.
        num_ranks: number of processes.

    Yields:
        The tables; the names of the images of this process; and of those among them that are to be segmented.

    Raises:
        ValueError: the folder has results of another model or with other options, and they would be mixed with those of
            this run; or another process works on this shard.
    """
    run = run or {}
    if keeps_results:
        _check_same_model(out_dir, run)
    records = read_shards(out_dir)
    for record in records:
        check_same_run(out_dir, f"shard {record.shard}", record.run, run)
    own = out_dir if shard is None else shard.folder(out_dir)
    others = [record.shard.folder(out_dir) for record in records]
    others = [folder for folder in (out_dir, *others) if folder != own]
    names = list(sources) if shard is None else shard.select(list(sources))
    names = names[rank::num_ranks]
    mine = {name: sources[name] for name in names}
    if shard is None:
        # in this order: another process writes the record before its first row
        is_same = not read_rows(out_dir, "manifest") or read_record(out_dir) == run
        if not is_same:
            (out_dir / RECORD_NAME).unlink(missing_ok=True)
        manifest = Manifest(out_dir, classes, rank, num_ranks, others)
        todo = manifest.begin(mine, is_done)
        if run and (is_same or not read_rows(out_dir, "manifest")):
            write_record(out_dir, run)
        yield manifest, names, todo
        return
    check_whole(out_dir, run)
    with _claimed(own / f".claim{rank}", shard, out_dir):
        _write_shard(own / RECORD_OF_SHARD, shard, list(sources), run, classes)
        manifest = Manifest(own, classes, rank, num_ranks, others)
        yield manifest, names, manifest.begin(mine, is_done)


def read_shards(out_dir: Path) -> list[ShardRecord]:
    """Return the records of all shards that were started in a folder, in the order of their numbers."""
    records = []
    for path in (out_dir / SHARDS_NAME).glob(f"*/{RECORD_OF_SHARD}"):
        content = read_plain(path)
        if content.get("schema") != _SCHEMA:
            continue
        places = {name: place for place, name in content["images"]}
        values = {name: content[name] for name in ("started", "num_images", "images_sha256", "run", "classes")}
        records.append(ShardRecord(Shard(*content["shard"]), places=places, **values))
    return sorted(records, key=lambda record: (record.shard.count, record.shard.number))


def check_same_run(out_dir: Path, what: str, record: Record | None, run: Record) -> None:
    """Raise an error unless results in a folder were made as those of a run are made.

    Args:
        out_dir: the folder.
        what: which results, for the message.
        record: of these results; None: not known.
        run: of the run.
    """
    difference = "other options, which are not known" if record is None else find_difference(record, run)
    if difference:
        raise InvalidInputError(
            f"{out_dir} holds results of {what} with {difference}; choose another `out_dir`, or delete this one",
            code="E-input-mixed",
        )


def check_whole(out_dir: Path, run: Record) -> None:
    """Raise an error if the manifest of the whole set has rows of another run; see `check_same_run`."""
    if read_rows(out_dir, "manifest"):
        check_same_run(out_dir, "an earlier run", read_record(out_dir), run)


def _check_same_model(out_dir: Path, run: Record) -> None:
    """Raise an error if masks in a folder, of a run without shards, were made with another model or other options."""
    record = read_record(out_dir) if run else None
    difference = find_difference(record, run, MASKS_DEPEND_ON) if record else ""
    if difference:
        raise InvalidInputError(
            f"{out_dir} holds results with {difference}; leave out `skip_existing` to replace them, or choose another"
            " `out_dir`",
            code="E-input-mixed",
        )


@contextmanager
def _claimed(path: Path, shard: Shard, out_dir: Path) -> Generator[None]:
    """Keep a second process from working on the same shard, on any machine."""

    def on_wait(host: str) -> None:
        print(f"shard {shard} may still be running on {host}; waiting up to 5 minutes to find out", file=sys.stderr)

    claim = take_abandoned_claim(path, on_wait)
    if claim is None:
        raise InvalidInputError(
            f"shard {shard} is running already, on {holder_of(path)}, and writes to {out_dir}; wait until it ends",
            code="E-input-running",
        )
    with claim:
        yield


def _write_shard(path: Path, shard: Shard, names: Sequence[str], run: Record, classes: Sequence[str]) -> None:
    mine = set(shard.select(names))
    record = ShardRecord(
        shard=shard,
        started=time.time(),
        num_images=len(names),
        images_sha256=hashlib.sha256(b"\0".join(sorted(map(_as_bytes, names)))).hexdigest(),
        places={},
        run=run,
        classes=list(classes),
    )._asdict()
    del record["places"]
    images = [(place, name) for place, name in enumerate(names) if name in mine]
    write_plain(path, {"schema": _SCHEMA, **record, "images": images})


def _as_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
