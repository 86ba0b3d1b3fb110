"""The account of a run: which image led to which files, and what is in it."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from semseg.atomic import atomic_path

MANIFEST_COLUMNS = ("source", "outputs", "width", "height", "seconds", "status", "mean_confidence")
STATS_COLUMNS = ("source", "latitude", "longitude", "time")  # and the classes
OK = "ok"
_TEXT = dict(encoding="utf-8", errors="surrogateescape", newline="")  # any name that a file system allows

Row = Mapping[str, str]


class Manifest:
    """`manifest.csv` and `stats.csv`, which grow with every image, by whole lines.

    Several processes may share a folder: each appends to parts of its own, and whoever ends puts them together.

    Args:
        out_dir: made if missing.
        classes: names, in the order of their train ids.
        rank: which process this is.
        num_ranks: how many there are.

    Raises:
        ValueError: the folder holds the account of a model with other classes.
    """

    def __init__(self, out_dir: Path, classes: Sequence[str], rank: int = 0, num_ranks: int = 1) -> None:
        self._rank, self._num_ranks = rank, num_ranks
        out_dir.mkdir(parents=True, exist_ok=True)
        self._out_dir = out_dir
        self._lock = threading.Lock()
        self._columns = {"manifest": MANIFEST_COLUMNS, "stats": (*STATS_COLUMNS, *classes)}
        path = out_dir / "stats.csv"
        if path.is_file():
            with path.open(**_TEXT) as file:
                found = next(csv.reader(file), None)
            if found and tuple(found) != self._columns["stats"]:
                raise ValueError(f"{path} is of a model with other classes; choose another --out-dir")

    def begin(self, sources: Sequence[str], is_done: Callable[[str], bool]) -> list[str]:
        """Forget what will be done anew.

        Args:
            sources: of this process.
            is_done: whether an image that is in the account as done is to be left alone.

        Returns:
            What is to be done.
        """
        with self._alone():
            done = {row["source"] for row in self._rows("manifest") if row["status"] == OK}
            todo = [source for source in sources if source not in done or not is_done(source)]
            for table in self._columns:
                self._fold(table, set(todo))
        return todo

    def add(self, row: Mapping[str, object], stats: Mapping[str, object] | None = None) -> None:
        """Append an image, from any thread; `stats` first, so that whatever is in the manifest has them."""
        with self._lock:
            if stats is not None:
                self._append("stats", stats)
            self._append("manifest", row)

    def finish(self, order: Sequence[str]) -> None:
        """Bring the account into the order of the sources; other sources, from runs before, stand first."""
        with self._alone():
            for table in self._columns:
                self._fold(table, set(), {source: place for place, source in enumerate(order)})

    def write_geojson(self, path: Path) -> int:
        """Write the images that say where they were taken as points, and return how many these are."""
        features = [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [float(row["longitude"]), float(row["latitude"])]},
                "properties": {"source": row["source"], "time": row["time"] or None}
                | {name: float(row[name]) for name in self._columns["stats"][len(STATS_COLUMNS) :]},
            }
            for row in self._rows("stats")
            if row["latitude"]
        ]
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({"type": "FeatureCollection", "features": features}), errors="replace")
        return len(features)

    def _path(self, table: str, rank: int | None = None) -> Path:
        rank = self._rank if rank is None else rank
        name = f"{table}.csv" if self._num_ranks == 1 else f".{table}.part{rank}.csv"
        return self._out_dir / name

    def _append(self, table: str, row: Mapping[str, object]) -> None:
        line = io.StringIO()
        csv.DictWriter(line, self._columns[table], lineterminator="\n").writerow(row)
        path = self._path(table)
        if not path.exists():
            self._write(path, table, [])
        # one write at the end of the file: a kill leaves whole lines
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        text = line.getvalue().encode(_TEXT["encoding"], _TEXT["errors"])
        try:
            while text:
                text = text[os.write(descriptor, text) :]
        finally:
            os.close(descriptor)

    def _parts(self, table: str) -> list[Path]:
        return sorted(self._out_dir.glob(f".{table}.part*.csv"))

    def _rows(self, table: str) -> list[Row]:
        """Return all rows, of the parts too; the last word about a source counts."""
        rows = {}
        for path in (self._out_dir / f"{table}.csv", *self._parts(table)):
            if path.is_file():
                rows |= {row["source"]: row for row in _read(path, self._columns[table])}
        return list(rows.values())

    def _fold(self, table: str, without: set[str], order: Mapping[str, int] | None = None) -> None:
        """Put everything into the one file, and remove the parts whose process has ended or is this one."""
        rows = [row for row in self._rows(table) if row["source"] not in without]
        if order is not None:
            rows.sort(key=lambda row: order.get(row["source"], -1))
        self._write(self._out_dir / f"{table}.csv", table, rows)
        for path in self._parts(table):
            number = int(path.name.split(".part")[1].split(".")[0])
            if number == self._rank or number >= self._num_ranks or self._num_ranks == 1:
                path.unlink()

    def _write(self, path: Path, table: str, rows: Sequence[Row]) -> None:
        with atomic_path(path) as temporary, temporary.open("w", **_TEXT) as file:
            writer = csv.DictWriter(file, self._columns[table], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the other processes out."""
        descriptor = os.open(self._out_dir, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _read(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Read the whole rows of a table; a line that was cut off is none."""
    with path.open(**_TEXT) as file:
        text = file.read()
    text = text[: text.rfind("\n") + 1]
    for values in list(csv.reader(io.StringIO(text, newline="")))[1:]:
        if len(values) == len(columns):
            yield dict(zip(columns, values, strict=True))
