"""Join the tables of all shards of a run to those of the whole set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semseg.errors import MissingInputError
from semseg.inference.manifest import MANIFEST_COLUMNS, OK, STATS_COLUMNS, Manifest, Row, read_rows
from semseg.inference.recorded_outputs import has_whole_outputs
from semseg.inference.run_record import write_record
from semseg.inference.run_summary import describe_shares
from semseg.inference.shards import SHARDS_NAME, ShardRecord, check_same_run, check_whole, read_shards
from semseg.system.wording import listing


class Merged(NamedTuple):
    """What a merge found.

    Attributes:
        lines: the summary of the whole set; empty if nothing was written.
        faults: sentences about what is missing or failed; empty if every image was segmented.
    """

    lines: list[str]
    faults: list[str]


class _Rows(NamedTuple):
    """The rows of an image in the tables of one run; `stats` is None if it failed."""

    row: Row
    stats: Row | None
    shard: ShardRecord | None  # None: of the whole set


def merge_shards(out_dir: Path, geojson: Path | None = None) -> Merged:
    """Write `manifest.csv` and `stats.csv` of the whole set, in which every image is listed once.

    They are written only if every image has an outcome: it was segmented, and its results still have the size that
    they had when they were written, or it failed. A merge changes nothing in the shards, and can be repeated.

    Args:
        out_dir: the folder that all shards wrote to.
        geojson: a file for the places of the photographs.

    Raises:
        FileNotFoundError: no shard was started in this folder.
        ValueError: the shards, or other results in this folder, differ in the model, the options or the inputs.
    """
    records = read_shards(out_dir)
    if not records:
        raise MissingInputError(
            f"{out_dir / SHARDS_NAME} holds no shard; start some with `shard` 1/N to N/N and `out_dir` {out_dir}",
            code="E-input-missing",
        )
    newest = max(records, key=lambda record: record.started)
    for record in records:
        check_same_run(out_dir, f"shard {record.shard}", record.run, newest.run)
    check_whole(out_dir, newest.run)
    division = [record for record in records if record.shard.count == newest.shard.count]
    faults = _find_different_lists(division)
    if faults:
        return Merged([], faults)

    columns = (*STATS_COLUMNS, *newest.classes)
    candidates: dict[str, list[_Rows]] = {}
    others = [record for record in records if record.shard.count != newest.shard.count]
    for record in (*division, *others, None):
        folder = out_dir if record is None else record.shard.folder(out_dir)
        stats = {row["name"]: row for row in read_rows(folder, "stats", columns)}
        for row in read_rows(folder, "manifest", MANIFEST_COLUMNS):
            candidates.setdefault(row["name"], []).append(_Rows(row, stats.get(row["name"]), record))
    owners = {name: record for record in division for name in record.places}
    chosen = {name: _choose(candidates.get(name, ()), out_dir, owner) for name, owner in owners.items()}
    missing = [name for name, rows in chosen.items() if rows is None]
    if missing or len(owners) < newest.num_images:
        return Merged([], _describe_missing(division, missing))

    places = {name: place for record in division for name, place in record.places.items()}
    kept = [_choose_other(rows, out_dir) for name, rows in candidates.items() if name not in owners]
    ordered = [chosen[name] for name in sorted(places, key=lambda name: places[name])]
    rows = [rows for rows in (*kept, *ordered) if rows is not None]
    manifest = Manifest(out_dir, newest.classes)
    write_record(out_dir, newest.run)
    manifest.replace([found.row for found in rows], [found.stats for found in rows if found.stats is not None])
    lines = _describe_whole(out_dir, [rows for rows in ordered if rows is not None], newest)
    if geojson is not None:
        lines.append(f"{manifest.write_geojson(geojson)} images say where they were taken: {geojson}")
    failed = [rows.row for rows in ordered if rows is not None and rows.row["status"] != OK]
    if failed:
        first = f"{failed[0]['source']}: {failed[0]['status']}"
        faults = [f"{len(failed)} of {len(owners)} images have no complete result, first {first}"]
    return Merged(lines, faults)


def _choose(candidates: Sequence[_Rows], out_dir: Path, owner: ShardRecord) -> _Rows | None:
    """Return the rows of an image: those of its own shard, or of results of another table that are complete."""
    own = [rows for rows in candidates if rows.shard is owner]
    if own and own[0].row["status"] != OK:
        return own[0]
    return next((rows for rows in (*own, *candidates) if _is_complete(rows, out_dir)), None)


def _choose_other(candidates: Sequence[_Rows], out_dir: Path) -> _Rows | None:
    """Return the rows of an image that is no input any more: those of the whole set stay as they are."""
    return next((rows for rows in candidates if rows.shard is None or _is_complete(rows, out_dir)), None)


def _is_complete(rows: _Rows, out_dir: Path) -> bool:
    return rows.row["status"] == OK and rows.stats is not None and has_whole_outputs(rows.row, out_dir)


def _find_different_lists(division: Sequence[ShardRecord]) -> list[str]:
    """Return what is wrong if the shards were not started with the same images, so that some may be in no shard."""
    groups: dict[str, list[ShardRecord]] = {}
    for record in division:
        groups.setdefault(record.images_sha256, []).append(record)
    if len(groups) == 1:
        return []
    found = "; ".join(
        f"{records[0].num_images} images by {listing(record.shard for record in records)}"
        for records in groups.values()
    )
    return [
        f"the shards found different images: {found}",
        "nothing was merged: run all shards again with --skip-existing, then merge again",
    ]


def _describe_missing(division: Sequence[ShardRecord], missing: Sequence[str]) -> list[str]:
    count, num_images = division[0].shard.count, division[0].num_images
    by_number = {record.shard.number: record for record in division}
    lines = []
    absent = [f"{number}/{count}" for number in range(1, count + 1) if number not in by_number]
    if absent:
        num_absent = num_images - sum(len(record.places) for record in division)
        lines.append(
            f"{len(absent)} of {count} shards were not started: {listing(absent, 20)} ({num_absent} of {num_images}"
            " images)"
        )
    for record in division:
        lacking = [name for name in missing if name in record.places]
        if lacking:
            lines.append(
                f"shard {record.shard} is not complete: {len(lacking)} of {len(record.places)} images are missing:"
                f" {listing(lacking)}"
            )
    return [*lines, "nothing was merged: run these shards with --skip-existing, then merge again"]


def _describe_whole(out_dir: Path, found: Sequence[_Rows], newest: ShardRecord) -> list[str]:
    """Return the summary of the whole set, as that of a run without shards."""
    done = [rows for rows in found if rows.row["status"] == OK]
    kinds = dict.fromkeys(output.partition("/")[0] for rows in done for output in rows.row["outputs"].split(";"))
    folders = ", ".join(f"{out_dir}/{kind}" for kind in kinds if (out_dir / kind).is_dir())
    lines = [f"{len(done)} of {len(found)} images segmented, in {newest.shard.count} shards: {folders or 'none'}"]
    earlier = Counter(
        "another division" if rows.shard is not None else "a run without shards"
        for rows in done
        if rows.shard is None or rows.shard.shard.count != newest.shard.count
    )
    lines += [f"{count} of these results are of {origin}" for origin, count in earlier.items()]
    shares = np.array([[float(rows.stats[name] or 0) for name in newest.classes] for rows in done if rows.stats])
    with_data = shares[shares.any(axis=1)] if len(shares) else shares
    if len(with_data):
        lines.append(describe_shares(with_data.mean(axis=0), newest.classes))
    return lines
