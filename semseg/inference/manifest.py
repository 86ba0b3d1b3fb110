"""Tables of a run: which files were written for which image, and the share of each class in it."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from semseg.errors import InvalidInputError
from semseg.system.atomic import atomic_path
from semseg.system.folders import absolute_path

MANIFEST_COLUMNS = (*("source", "name", "outputs", "bytes", "width", "height", "seconds", "status", "mean_confidence"),)
STATS_COLUMNS = ("source", "name", "latitude", "longitude", "time")  # and the classes
_OTHER_RESULTS = {"gap.json": b'"semseg.gap/', "explain.json": b'"semseg.explain/', "results.json": b'"semseg.'}
OK = "ok"
_ENCODING, _ERRORS = "utf-8", "surrogateescape"  # for every name that a file system allows

Row = Mapping[str, str]


class Manifest:
    """Writes `manifest.csv` and `stats.csv`, to which every image appends whole lines.

    An image has one row in each table. The name of its results identifies it, however its path is written, in this run
    and in earlier runs. Several processes may share a folder: each appends to its own parts of the tables, and a
    process that ends merges the parts.

    Args:
        out_dir: made if missing.
        classes: names, in the order of their train ids.
        rank: of this process.
        num_ranks: number of processes.

    Attributes:
        num_replaced: results of other images with the names of those of this run; known after `begin`.

    Raises:
        ValueError: the folder holds the tables of a model with other classes.
    """

    def __init__(self, out_dir: Path, classes: Sequence[str], rank: int = 0, num_ranks: int = 1) -> None:
        self._rank, self._num_ranks = rank, num_ranks
        out_dir.mkdir(parents=True, exist_ok=True)
        self._out_dir = out_dir
        self._lock = threading.Lock()
        self._columns = {"manifest": MANIFEST_COLUMNS, "stats": (*STATS_COLUMNS, *classes)}
        self.num_replaced = 0
        path = out_dir / "stats.csv"
        if path.is_file():
            with path.open(encoding=_ENCODING, errors=_ERRORS, newline="") as file:
                columns = next(csv.reader(file), None)
            if columns and not _same_columns(columns, self._columns["stats"]):
                raise InvalidInputError(
                    f"{path} is of a model with other classes; choose another `out_dir`", code="E-input-used"
                )

    def begin(self, sources: Mapping[str, str], is_done: Callable[[str, Row], bool]) -> list[str]:
        """Remove the rows of images that will be segmented.

        Args:
            sources: path of each image of this process, by the name of its results.
            is_done: called with the name and the row of an image that was segmented before; returns whether to keep its
                results.

        Returns:
            The names of the images to segment.
        """
        with self._locked():
            rows = {row["name"]: row for row in self._rows("manifest")}
            same = {name for name in sources if name in rows and _is_same(rows[name]["source"], sources[name])}
            self.num_replaced = sum(name in rows and name not in same for name in sources)
            todo = [
                name
                for name in sources
                if name not in same or rows[name]["status"] != OK or not is_done(name, rows[name])
            ]
            for table in self._columns:
                self._fold(table, {name: sources[name] for name in todo})
        return todo

    def add(self, row: Mapping[str, object], stats: Mapping[str, object] | None = None) -> None:
        """Append the rows of an image; thread-safe. `stats` comes first, so that every row of the manifest has one."""
        with self._lock:
            if stats is not None:
                self._append("stats", stats)
            self._append("manifest", row)

    def finish(self, order: Sequence[str]) -> None:
        """Sort the tables by the order of the names; images of earlier runs come first."""
        with self._locked():
            for table in self._columns:
                self._fold(table, {}, {name: place for place, name in enumerate(order)})

    def write_geojson(self, path: Path) -> int:
        """Write images whose metadata have a position as points, and return their number."""
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
        # one write at the end of the file, so that a process that is killed leaves whole lines
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        text = line.getvalue().encode(_ENCODING, _ERRORS)
        try:
            while text:
                text = text[os.write(descriptor, text) :]
        finally:
            os.close(descriptor)

    def _parts(self, table: str) -> list[Path]:
        return sorted(self._out_dir.glob(f".{table}.part*.csv"))

    def _rows(self, table: str) -> list[Row]:
        """Return all rows, also those of the parts; of several rows of an image the last one counts."""
        rows: dict[str, Row] = {}
        names = {} if table == "manifest" else {row["source"]: row["name"] for row in self._rows("manifest")}
        for path in (self._out_dir / f"{table}.csv", *self._parts(table)):
            for row in _read(path) if path.is_file() else ():
                name = row.get("name") or names.get(row["source"]) or _name_of(row.get("outputs", "")) or row["source"]
                rows[name] = {**dict.fromkeys(self._columns[table], ""), **row, "name": name}
        return list(rows.values())

    def _fold(self, table: str, without: Mapping[str, str], order: Mapping[str, int] | None = None) -> None:
        """Merge the parts into one file, and remove those of this process and of processes that have ended.

        Args:
            table: `manifest` or `stats`.
            without: images whose rows are left out: paths by name.
            order: position of each image, by name; default: as the rows are.
        """
        rows = [row for row in self._rows(table) if row["name"] not in without]
        # rows of failed images from older versions have the path in place of the name
        paths = {str(absolute_path(source)) for source in without.values()}
        rows = [row for row in rows if row["name"] != row["source"] or str(absolute_path(row["source"])) not in paths]
        if order is not None:
            rows.sort(key=lambda row: order.get(row["name"], -1))
        self._write(self._out_dir / f"{table}.csv", table, rows)
        for path in self._parts(table):
            number = int(path.name.split(".part")[1].split(".")[0])
            if number == self._rank or number >= self._num_ranks or self._num_ranks == 1:
                path.unlink()

    def _write(self, path: Path, table: str, rows: Sequence[Row]) -> None:
        with (
            atomic_path(path) as temporary,
            temporary.open("w", encoding=_ENCODING, errors=_ERRORS, newline="") as file,
        ):
            writer = csv.DictWriter(file, self._columns[table], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Hold a lock that the other processes wait for."""
        descriptor = os.open(self._out_dir, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def describe_outputs(paths: Sequence[Path], out_dir: Path) -> dict[str, str]:
    """Return the columns about the files that were written for an image: their paths below `out_dir`, and their sizes.

    Args:
        paths: files, or folders, whose size is that of the files in them.
        out_dir: the folder of the results.
    """
    return {
        "outputs": ";".join(path.relative_to(out_dir).as_posix() for path in paths),
        "bytes": ";".join(str(_num_bytes(path)) for path in paths),
    }


def whole_outputs(row: Row, out_dir: Path) -> set[Path]:
    """Return the outputs of a row that still have the size that they had when they were written.

    For a row without sizes, which an older version wrote, the result is empty.
    """
    paths = {out_dir / name: size for name, size in outputs_of(row)}
    return {path for path, size in paths.items() if path.exists() and str(_num_bytes(path)) == size}


def outputs_of(row: Row) -> list[tuple[str, str]]:
    """Return the outputs of a row, below the folder of the results, with their sizes in bytes.

    For a row without sizes, which an older version wrote, the result is empty.
    """
    sizes = row["bytes"].split(";") if row["bytes"] else []
    # the name may contain semicolons
    outputs = row["outputs"].replace(row["name"], "\0").split(";")
    names = [output.replace("\0", row["name"]) for output in outputs]
    return list(zip(names, sizes, strict=True)) if len(sizes) == len(names) else []


def holds_results(folder: Path) -> bool:
    """Return whether a folder holds results of this project, whose images are no photographs."""
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        with manifest.open(encoding=_ENCODING, errors=_ERRORS, newline="") as file:
            columns = next(csv.reader(file), [])
        if {"source", "outputs", "status"} <= set(columns):
            return True
    if any(folder.glob(".manifest.part*.csv")):
        return True
    for name, schema in _OTHER_RESULTS.items():
        path = folder / name
        if path.is_file() and schema in path.read_bytes()[:1000]:
            return True
    return False


def _num_bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size


def _is_same(recorded: str, source: str) -> bool:
    return absolute_path(recorded) == absolute_path(source)


def _name_of(outputs: str) -> str:
    """Return the name of an image from the paths of its results; tables of older versions have no names."""
    first = PurePosixPath(outputs.split(";")[0])
    return str(PurePosixPath(*first.parts[1:-1], first.stem)) if len(first.parts) > 1 else ""


def _same_columns(columns: Sequence[str], expected: Sequence[str]) -> bool:
    return [name for name in columns if name != "name"] == [name for name in expected if name != "name"]


def _read(path: Path) -> Iterator[Row]:
    """Yield the complete rows of a table; a line that was cut off is left out."""
    with path.open(encoding=_ENCODING, errors=_ERRORS, newline="") as file:
        text = file.read()
    text = text[: text.rfind("\n") + 1]
    columns, *rows = csv.reader(io.StringIO(text, newline="")) if text else [[]]
    for values in rows:
        if len(values) == len(columns):
            yield dict(zip(columns, values, strict=True))
