"""Cityscapes annotations: polygon files in, train-id images and split lists out.

The pixels are those of cityscapesScripts (`json2labelImg(..., "trainIds")`), bit for bit.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from semseg.labels import CITYSCAPES, Label

_POLYGONS = "_polygons.json"
_TRAIN_IDS = "_labelTrainIds.png"
_ARCHIVES = {
    "gtFine": "gtFine_trainvaltest.zip",
    "gtCoarse": "gtCoarse.zip",
}  # as the download page names them


class Counts(NamedTuple):
    """What happened to the polygon files of one split."""

    written: int
    up_to_date: int


class ConversionError(RuntimeError):
    """Some files were not converted; the message names each of them."""


def convert(
    root: str | Path,
    gt_dir: str = "gtFine",
    out_dir: str | Path | None = None,
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Counts]:
    """Write a train-id image beside every polygon file, and one list of names per split.

    An image that is readable and newer than its polygon file is left alone. Images and lists
    appear whole or not at all, also when the run is killed.

    Args:
        root: holds `<gt_dir>/<split>/<city>/*_<gt_dir>_polygons.json`.
        gt_dir: the folder of the annotations, `gtFine` or `gtCoarse`.
        out_dir: where `<split>.txt` goes, lines like `ulm/ulm_000000_000019`; default `root`.
        num_processes: files are converted in this many processes.
        on_progress: called with the number of files done and the number of all.

    Returns:
        Counts by split, in alphabetical order.

    Raises:
        FileNotFoundError: there is no such folder, or no polygon file in it.
        ConversionError: files could not be read or written. The other images are there then,
            the lists are as they were.
    """
    if num_processes < 1:
        raise ValueError(f"{num_processes} processes; expected 1 or more")
    gt_root = Path(root) / gt_dir
    suffix = f"_{gt_root.name}{_POLYGONS}"
    splits = _find(Path(root), gt_root, suffix)

    for leftover in _glob(gt_root, f"**/.*{_TRAIN_IDS}.*.tmp"):  # of a run that was killed
        leftover.unlink(missing_ok=True)

    paths = [path for split in splits.values() for path in split]
    outcomes = _convert_files(paths, num_processes, on_progress)

    problems = [outcomes[path].problem for path in paths if outcomes[path].problem]
    if problems:
        raise ConversionError(
            f"{len(problems)} of {len(paths)} polygon files could not be converted: " + "\n".join(problems)
        )

    list_dir = Path(out_dir or root)
    list_dir.mkdir(parents=True, exist_ok=True)
    for split, polygon_paths in splits.items():
        names = [path.relative_to(gt_root / split).as_posix().removesuffix(suffix) for path in polygon_paths]
        _write_if_different(list_dir / f"{split}.txt", "".join(f"{name}\n" for name in names).encode())

    counts = {}
    for split, polygon_paths in splits.items():
        written = sum(outcomes[path].written for path in polygon_paths)
        counts[split] = Counts(written, len(polygon_paths) - written)
    return counts


def draw_train_ids(annotation: dict) -> np.ndarray:
    """Draw the polygons of an annotation, later ones over earlier ones.

    Args:
        annotation: a polygon file's content: `imgWidth`, `imgHeight`, `objects`.

    Returns:
        Train ids (0 to 18, and 255), uint8, shape (height, width).

    Raises:
        ValueError: a key is missing, a label is unknown, or a polygon is not a list of points.
    """
    try:
        size = int(annotation["imgWidth"]), int(annotation["imgHeight"])
        image = Image.new("L", size, CITYSCAPES.by_name["unlabeled"].train_id)
        objects = list(annotation["objects"])
    except KeyError as error:
        raise ValueError(f"no {error} in it") from None
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"not the annotation of an image: {error}") from None
    if min(size) < 1:
        raise ValueError(f"imgWidth and imgHeight are {size[0]} and {size[1]}; expected 1 or more")

    drawer = ImageDraw.Draw(image)
    for index, shape in enumerate(objects):
        try:
            if shape.get("deleted"):
                continue
            label = _find_label(str(shape["label"]))
            if label.label_id >= 0:
                drawer.polygon([(point[0], point[1]) for point in shape["polygon"]], fill=label.train_id)
        except KeyError as error:
            raise ValueError(f"no {error} in object {index}") from None
        except (AttributeError, TypeError, IndexError, OverflowError, ValueError) as error:
            raise ValueError(f"object {index} cannot be drawn: {error}") from None
    return np.asarray(image)


def _find_label(name: str) -> Label:
    """Look a label up; `cargroup` counts as `car`."""
    label = CITYSCAPES.by_name.get(name) or CITYSCAPES.by_name.get(name.removesuffix("group"))
    if label is None:
        raise ValueError(f"unknown label {name!r}")
    return label


def _find(root: Path, gt_root: Path, suffix: str) -> dict[str, list[Path]]:
    """List the polygon files by split, all sorted."""
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}")
    remedy = f"unpack {_ARCHIVES.get(gt_root.name, 'the annotations')} in {root}"
    if not gt_root.is_dir():
        raise FileNotFoundError(f"no folder {gt_root}; {remedy}")
    splits: dict[str, list[Path]] = {}
    for path in _glob(gt_root, f"*/**/*{suffix}"):
        splits.setdefault(path.relative_to(gt_root).parts[0], []).append(path)
    if not splits:
        raise FileNotFoundError(f"no *{suffix} under {gt_root}; {remedy}")
    return splits


def _glob(folder: Path, pattern: str) -> list[Path]:
    """Unlike Path.glob, follow links to folders and skip hidden files (macOS' ._ copies)."""
    names = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207
    return [folder / name for name in sorted(names)]


class _Outcome(NamedTuple):
    written: bool
    problem: str = ""


def _convert_file(polygon_path: Path) -> _Outcome:
    target_path = polygon_path.with_name(polygon_path.name.removesuffix(_POLYGONS) + _TRAIN_IDS)
    try:
        if _is_up_to_date(target_path, polygon_path):
            return _Outcome(written=False)
        train_ids = draw_train_ids(json.loads(polygon_path.read_bytes()))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return _Outcome(False, f"{polygon_path}: not JSON ({error})")
    except ValueError as error:
        return _Outcome(False, f"{polygon_path}: {error}")
    except OSError as error:
        return _Outcome(False, f"{polygon_path}: {error.strerror}")
    try:
        _write(target_path, _encode_png(train_ids))
    except OSError as error:  # a full disk, a folder without write permission: the next file fails too
        raise ConversionError(f"{target_path} could not be written: {error.strerror}") from None
    return _Outcome(written=True)


def _convert_files(
    paths: list[Path], num_processes: int, on_progress: Callable[[int, int], None] | None
) -> dict[Path, _Outcome]:
    on_progress = on_progress or (lambda done, total: None)
    outcomes = {}
    if num_processes == 1:
        for path in paths:
            outcomes[path] = _convert_file(path)
            on_progress(len(outcomes), len(paths))
        return outcomes
    with ProcessPoolExecutor(min(num_processes, len(paths)), initializer=_end_with_parent) as pool:
        try:
            with _interrupts_held():
                path_of = {pool.submit(_convert_file, path): path for path in paths}
            for future in as_completed(path_of):
                outcomes[path_of[future]] = future.result()
                on_progress(len(outcomes), len(paths))
        finally:
            pool.shutdown(cancel_futures=True)
    return outcomes


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that never see Ctrl-C (they inherit the mask): the parent alone answers it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_with_parent() -> None:
    """Keep no worker waiting for work from a parent that was killed."""

    def watch() -> None:
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _is_up_to_date(target_path: Path, source_path: Path) -> bool:
    source_time = source_path.stat().st_mtime_ns
    try:
        if target_path.stat().st_mtime_ns <= source_time:
            return False
        with Image.open(target_path) as image:
            image.verify()  # checksums of all chunks, without decoding
    except (OSError, SyntaxError, ValueError):  # absent, or Pillow's words for a damaged PNG
        return False
    return True


def _encode_png(gray: np.ndarray) -> bytes:
    """Encode a uint8 image without PNG's row filters.

    Filters serve photographs; for areas of one value they only cost. Against Pillow's default, at
    2048x1024: written in a fifth of the time, read in half of it (training reads every image many
    times), file 1.6 times as large.
    """
    options = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    return cv2.imencode(".png", gray, options)[1].tobytes()


def _write_if_different(path: Path, content: bytes) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)
    if not path.is_file() or path.read_bytes() != content:
        _write(path, content)


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none."""
    temporary_path = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary_path.write_bytes(content)
        temporary_path.replace(path)
    finally:
        temporary_path.unlink(missing_ok=True)
