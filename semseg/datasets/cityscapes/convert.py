"""Convert Cityscapes annotations, polygon files or label-id images, into train-id images and split lists."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from semseg.datasets.cityscapes.annotation import encode_png, read_label_ids, read_polygons
from semseg.errors import DiskError, InvalidInputError, MissingDataError, SemsegError
from semseg.system.atomic import atomic_path
from semseg.system.folders import walk_files
from semseg.system.worker_pool import run_all

SOURCES = {
    "auto": ("_labelIds.png", "_polygons.json"),
    "polygons": ("_polygons.json",),
    "labelids": ("_labelIds.png",),
}
"""By the values of `source`: suffixes of the files that are converted, the preferred one first."""

PUBLISHED = {
    "gtFine": {"train": 2975, "val": 500, "test": 1525},
    "gtCoarse": {"train": 2975, "val": 500, "train_extra": 19998},
}
"""How many annotations Cityscapes has, by folder and split."""

_TRAIN_IDS = "_labelTrainIds.png"
_READERS = {"_labelIds.png": read_label_ids, "_polygons.json": read_polygons}
_ARCHIVES = {
    "gtFine": "gtFine_trainvaltest.zip",
    "gtCoarse": "gtCoarse.zip",
}  # as the download page names them
# when an archive is unpacked or copied, both files of an annotation are written within this time, in any order
_SAME_TIME_NS = 60 * 10**9


class Counts(NamedTuple):
    """Number of annotations of one split by what was done with them."""

    written: int
    up_to_date: int


class ConversionError(SemsegError, RuntimeError):
    """Some files were not converted; the message names each of them."""

    code = "E-data-conversion"


def convert(
    root: str | Path,
    gt_dir: str = "gtFine",
    out_dir: str | Path | None = None,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    source: str = "auto",
) -> dict[str, Counts]:
    """Write a train-id image beside every annotation, and one list of names per split.

    An image that is readable and newer than its sources is kept. Images and lists appear complete or not at all, also
    if the run is killed.

    Args:
        root: holds `<gt_dir>/<split>/<city>/*_<gt_dir>_polygons.json` or `…_labelIds.png`.
        gt_dir: the folder of the annotations, `gtFine` or `gtCoarse`.
        out_dir: where `<split>.txt` goes, lines like `ulm/ulm_000000_000019`; default `root`.
        num_processes: number of processes that convert files.
        on_progress: called with the number of files done and the number of all.
        source: "polygons" draws; "labelids" translates label-id images, which gives the same pixels (sooner
            where there are hundreds of polygons, later where there are few); "auto" translates if such an image
            is usable and not older than the polygons, and draws otherwise.

    Returns:
        Counts by split, in alphabetical order.

    Raises:
        FileNotFoundError: there is no such folder, or nothing to convert in it.
        ConversionError: files could not be read or written. The other images are written, the lists are not changed.
    """
    if num_processes < 1:
        raise InvalidInputError(f"{num_processes} processes; expected 1 or more", code="E-input-range")
    if source not in SOURCES:
        raise InvalidInputError(f"no source {source!r}; expected one of {', '.join(SOURCES)}", code="E-input-value")
    gt_root = Path(root) / gt_dir
    splits = _find_annotations(Path(root), gt_root, SOURCES[source])

    for path in walk_files(gt_root, hidden=True):
        if fnmatch.fnmatch(path.name, f".*{_temporary_pattern(_TRAIN_IDS)}"):  # left by a run that was killed
            path.unlink(missing_ok=True)

    annotations = [annotation for split in splits.values() for annotation in split.values()]
    outcomes = dict(zip(annotations, run_all(_convert_one, annotations, num_processes, on_progress), strict=True))

    problems = [outcome.problem for outcome in outcomes.values() if outcome.problem]
    if problems:
        raise ConversionError(
            f"{len(problems)} of {len(annotations)} annotations could not be converted: " + "\n".join(problems)
        )

    list_dir = Path(out_dir or root)
    for split, names in splits.items():
        _write_if_different(list_dir / f"{split}.txt", "".join(f"{name}\n" for name in names).encode())

    counts = {}
    for split, names in splits.items():
        written = sum(outcomes[annotation].written for annotation in names.values())
        counts[split] = Counts(written, len(names) - written)
    return counts


def describe(counts: dict[str, Counts], gt_dir: str = "gtFine") -> list[str]:
    """Return one line per split: how many annotations it has, how many Cityscapes has, and how many were written."""
    published = PUBLISHED.get(Path(gt_dir).name, {})
    lines = []
    for split in [*published, *(split for split in counts if split not in published)]:
        written, up_to_date = counts.get(split, (0, 0))
        num_annotations = written + up_to_date
        if split not in published:
            line = f"{split}: {num_annotations} found"
        elif num_annotations == published[split]:
            line = f"{split}: {num_annotations} of {num_annotations}"
        else:
            line = f"{split}: {num_annotations} found, Cityscapes has {published[split]}"
        lines.append(line + (f"; {written} written, {up_to_date} up to date" if num_annotations else ""))
    return lines


class _Annotation(NamedTuple):
    target_path: Path
    source_paths: tuple[Path, ...]  # preferred one first


class _Outcome(NamedTuple):
    written: bool
    problem: str = ""


def _find_annotations(root: Path, gt_root: Path, suffixes: tuple[str, ...]) -> dict[str, dict[str, _Annotation]]:
    """List the annotations by split and name, all sorted."""
    if not root.is_dir():
        raise MissingDataError(f"no folder {root}", code="E-data-missing")
    remedy = f"unpack {_ARCHIVES.get(gt_root.name, 'the annotations')} in {root}"
    if not gt_root.is_dir():
        raise MissingDataError(f"no folder {gt_root}; {remedy}", code="E-data-missing")
    folders = sorted(path for path in gt_root.iterdir() if path.is_dir() and not path.name.startswith("."))
    paths = [path for folder in folders for path in sorted(walk_files(folder))]
    paths_of: dict[str, list[Path]] = {}
    for suffix in suffixes:
        for path in (path for path in paths if path.name.endswith(f"_{gt_root.name}{suffix}")):
            name = path.relative_to(gt_root).as_posix().removesuffix(f"_{gt_root.name}{suffix}")
            paths_of.setdefault(name, []).append(path)
    if not paths_of:
        patterns = " or ".join(f"*_{gt_root.name}{suffix}" for suffix in reversed(suffixes))
        raise MissingDataError(f"no {patterns} under {gt_root}; {remedy}", code="E-data-missing")
    splits: dict[str, dict[str, _Annotation]] = {}
    for full_name, source_paths in sorted(paths_of.items()):
        split, name = full_name.split("/", 1)
        target_path = gt_root / f"{full_name}_{gt_root.name}{_TRAIN_IDS}"
        splits.setdefault(split, {})[name] = _Annotation(target_path, tuple(source_paths))
    return dict(sorted(splits.items()))


def _convert_one(annotation: _Annotation) -> _Outcome:
    outcome = _Outcome(written=False)
    target_path, source_paths = annotation
    for path in _without_stale(source_paths):
        try:
            if _is_up_to_date(target_path, source_paths):
                return _Outcome(written=False)
            train_ids = _READERS[f"_{path.name.rpartition('_')[2]}"](path)
            content = encode_png(train_ids)
        except ValueError as error:
            outcome = _Outcome(False, f"{path}: {error}")
            continue
        except OSError as error:
            outcome = _Outcome(False, f"{path}: {error.strerror}")
            continue
        try:
            _write(target_path, content)
        except DiskError:
            raise
        except OSError as error:  # a folder without write permission: the next file fails too
            raise ConversionError(f"{target_path} could not be written: {error.strerror}") from None
        return _Outcome(written=True)
    return outcome


def _without_stale(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Leave out label ids that are older than the polygons, which were edited later."""
    if len(paths) < 2:
        return paths
    try:
        label_ids_ns, polygons_ns = (path.stat().st_mtime_ns for path in paths)
    except OSError:  # reported when the file is read
        return paths
    return paths[1:] if polygons_ns - label_ids_ns > _SAME_TIME_NS else paths


def _is_up_to_date(target_path: Path, source_paths: tuple[Path, ...]) -> bool:
    source_ns = max(path.stat().st_mtime_ns for path in source_paths)
    try:
        if target_path.stat().st_mtime_ns <= source_ns:
            return False
        with Image.open(target_path) as image:
            image.verify()  # checksums of all chunks, without decoding
    except (OSError, SyntaxError, ValueError):  # missing, or what Pillow raises for a damaged PNG
        return False
    return True


def _write_if_different(path: Path, content: bytes) -> None:
    for leftover in path.parent.glob(f".{_temporary_pattern(path.name)}"):
        leftover.unlink(missing_ok=True)
    if not path.is_file() or path.read_bytes() != content:
        _write(path, content)


def _temporary_pattern(name: str) -> str:
    """Return the pattern of the temporary files that `atomic_path` creates for `name`, without the leading dot."""
    return f"{Path(name).stem}.*.tmp{Path(name).suffix}"


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary_path:
        temporary_path.write_bytes(content)


def instance_path(train_id_path: str | Path) -> Path | None:
    """Return the path of the instance image beside a train-id image; None if there is none."""
    name = str(train_id_path)
    path = Path(name.removesuffix(_TRAIN_IDS) + "_instanceIds.png")
    return path if name.endswith(_TRAIN_IDS) and path.is_file() else None
