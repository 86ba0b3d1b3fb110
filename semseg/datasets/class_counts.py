"""Count the pixels of each train id in every mask of a data set. All class counts of the project are computed here.

The check before a run reads the stored values of every mask, and keeps them as facts (`FactsCache`). The train ids are
computed from the facts: the decoder of the training is applied to an image that contains each stored value once, and
the counts of the values are added by train id. So no mask is read twice, and masks are decoded in the same way
everywhere. If a sample has a region of interest, the values inside are counted, and kept in the same way. If the facts
do not describe a mask completely, for example because it has very many colours, the mask is read by the loader of the
training.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.facts_cache import FactsCache, cache_path
from semseg.datasets.file_facts import MaskFacts, read_mask_facts
from semseg.datasets.masks import decode_mask, decode_pair
from semseg.datasets.roi_facts import RoiFacts, read_roi_facts, take_inside
from semseg.errors import SemsegError
from semseg.labels import IGNORED
from semseg.system.worker_pool import run_all

NUM_VALUES = 256
_FEW_MASKS = 32  # with fewer, starting another process costs more time than it saves
_COMPLETE_MODES = ("L", "P", "RGB", "RGBA")  # modes of Pillow whose pixels the facts describe completely


class MaskLoader(Protocol):
    """Protocol of a picklable object that loads the mask of a sample, such as `LoadTrainIds`.

    It may also have `decode(mask: PIL.Image.Image, info) -> train ids`, which converts an opened mask.
    """

    def __call__(self, info: dict[str, Any]) -> Any:
        """Return the info with `gt_seg_map`: train ids, uint8, shape (height, width)."""


class DatasetFileLoader:
    """Load masks by the rules of a dataset.yaml, without importing the packages of a training.

    Args:
        path: path of the dataset.yaml.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)

    def __call__(self, info: dict[str, Any]) -> dict[str, Any]:
        """Return a dict with `gt_seg_map`: train ids, uint8, shape (height, width)."""
        paths = info["img_path"], info["seg_map_path"], info.get("roi_path")
        return {"gt_seg_map": decode_pair(*paths, read_dataset_file(self.path))}

    def decode(self, mask: Image.Image, info: Mapping[str, Any]) -> np.ndarray:
        """Convert an opened mask to train ids, without its region of interest."""
        return decode_mask(mask, read_dataset_file(self.path))


def count_train_ids(
    loader: MaskLoader,
    infos: Sequence[dict[str, Any]],
    num_processes: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    on_read: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Count the train ids of every mask; only masks without known facts are read.

    If several processes call this at the same time, the first one reads the masks and the others wait for it.

    Args:
        loader: loads the masks.
        infos: for each mask, `img_path`, `seg_map_path`, `roi_path` if it has a region of interest, and the other keys
            that the loader needs; not changed.
        num_processes: maximum number of processes that read masks.
        on_progress: called with the number of masks read and the number of masks to read.
        on_read: called with the number of masks to read, if any.

    Returns:
        Number of pixels by mask and train id, int64, shape (number of masks, 256).

    Raises:
        FileNotFoundError, ValueError: raised by the loader.
    """
    histograms = np.zeros((len(infos), NUM_VALUES), np.int64)
    decode = _decoder_of(loader)
    facts = {} if decode is None else _read_facts(infos, num_processes, on_progress, on_read)
    rois = {} if decode is None else _read_roi_facts(infos, num_processes)
    rows = []  # masks that the loader has to read
    for row, info in enumerate(infos):
        histogram = None
        if decode is not None:
            histogram = _count_facts(decode, facts.get(info.get("seg_map_path")), rois.get(_roi_paths(info)), info)
        if histogram is None:
            rows.append(row)
        else:
            histograms[row] = histogram
    if rows:
        if on_read is not None and decode is None:
            on_read(len(rows))
        chosen = [infos[row] for row in rows]
        histograms[rows] = run_all(
            partial(_count_mask, loader), chosen, _limit_processes(num_processes, chosen), on_progress
        )
    return histograms


def _read_facts(
    infos: Sequence[dict[str, Any]],
    num_processes: int,
    on_progress: Callable[[int, int], None] | None,
    on_read: Callable[[int], None] | None,
) -> dict[Any, MaskFacts]:
    """Return the facts of the masks by path; new facts are added to the cache."""
    paths = list(dict.fromkeys(Path(info["seg_map_path"]) for info in infos if info.get("seg_map_path")))
    if not paths:
        return {}
    image_paths = [Path(info["img_path"]) for info in infos if info.get("img_path")] or paths
    with _locked(cache_path(image_paths).with_suffix(".lock")):  # counts of other sets need not wait
        cache = FactsCache(image_paths)
        facts_by_path = {path: facts for path in paths if (facts := cache.find("masks", path)) is not None}
        unread_paths = [path for path in paths if path not in facts_by_path]
        if unread_paths:
            if on_read is not None:
                on_read(len(unread_paths))
            new_facts = run_all(
                read_mask_facts, unread_paths, _limit_processes(num_processes, unread_paths), on_progress
            )
            for path, facts in zip(unread_paths, new_facts, strict=True):
                facts_by_path[path] = facts
                cache.add("masks", path, facts=facts)
            cache.save()
    return {
        info["seg_map_path"]: facts_by_path[Path(info["seg_map_path"])] for info in infos if info.get("seg_map_path")
    }


def _roi_paths(info: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the region of interest of a sample and its mask; empty without such a region."""
    return tuple(Path(info[key]) for key in ("roi_path", "seg_map_path") if info.get("roi_path") and info.get(key))


def _read_roi_facts(infos: Sequence[dict[str, Any]], num_processes: int) -> dict[tuple[Path, ...], RoiFacts]:
    """Return the facts of the regions of interest by `_roi_paths`; new facts are added to the cache."""
    keys = [key for key in dict.fromkeys(map(_roi_paths, infos)) if key]
    if not keys:
        return {}
    image_paths = [Path(info["img_path"]) for info in infos if info.get("img_path")]
    with _locked(cache_path(image_paths).with_suffix(".lock")):
        cache = FactsCache(image_paths)
        rois = {key: facts for key in keys if (facts := cache.find("rois", *key)) is not None}
        unread = [key for key in keys if key not in rois]
        for key, facts in zip(unread, run_all(_read_roi, unread, _limit_processes(num_processes, unread)), strict=True):
            rois[key] = facts
            cache.add("rois", *key, facts=facts)
        cache.save()
    return rois


def _read_roi(paths: tuple[Path, ...]) -> RoiFacts:
    return read_roi_facts(paths[0], paths[1] if len(paths) > 1 else None)


def _limit_processes(num_processes: int, items: Sequence) -> int:
    return num_processes if len(items) > _FEW_MASKS else 1


def _decoder_of(loader: Any) -> Callable[[Image.Image, Mapping[str, Any]], np.ndarray] | None:
    decode = getattr(loader, "decode", None)
    is_stock = (
        f"{type(loader).__module__}.{type(loader).__name__}" == "mmseg.datasets.transforms.loading.LoadAnnotations"
    )
    if decode is None and is_stock and loader.imdecode_backend == "pillow":
        from semseg.datasets.transforms import LoadTrainIds  # same result as LoadAnnotations of MMSegmentation

        decode = LoadTrainIds().decode
    return decode


def _count_facts(
    decode: Callable[[Image.Image, Mapping[str, Any]], np.ndarray],
    facts: MaskFacts | None,
    roi: RoiFacts | None,
    info: Mapping[str, Any],
) -> np.ndarray | None:
    """Return the pixels of a mask by train id; None if its facts are not sufficient, or the mask is invalid."""
    if facts is None or facts.problem or not facts.values or facts.num_transparent or facts.mode not in _COMPLETE_MODES:
        return None
    num_outside = 0
    if info.get("roi_path"):
        inside = None if roi is None else take_inside(facts, roi)
        if roi is None or inside is None:
            return None
        num_outside = roi.width * roi.height - roi.num_inside
        # the loader refuses a mask for values outside of the region too
        if _count_facts(decode, facts, None, {**info, "roi_path": None}) is None:
            return None
        if not inside.values:
            return np.bincount([IGNORED], weights=[num_outside], minlength=NUM_VALUES).astype(np.int64)
        facts = inside
    try:
        train_ids = decode(_draw_values(facts), info)
    except SemsegError:  # the loader raises it again, with the name of the mask and the number of pixels
        return None
    histogram = np.bincount(train_ids.ravel(), weights=facts.counts, minlength=NUM_VALUES).astype(np.int64)
    histogram[IGNORED] += num_outside
    return histogram


def _draw_values(facts: MaskFacts) -> Image.Image:
    """Return an image with one row that contains each value of a mask once."""
    values = np.array(facts.values, np.uint32)
    if facts.mode in ("L", "P"):
        image = Image.frombytes(facts.mode, (len(values), 1), values.astype(np.uint8).tobytes())
        if facts.mode == "P":
            image.putpalette(bytes.fromhex(facts.palette))
    else:
        channels = np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8)
        image = Image.fromarray(channels[None])
    image.format = facts.format
    return image


def _count_mask(loader: MaskLoader, info: dict[str, Any]) -> np.ndarray:
    return np.bincount(loader({**info, "seg_fields": []})["gt_seg_map"].ravel(), minlength=NUM_VALUES)


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold an exclusive file lock between processes of this machine; do nothing if the disk is read-only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError:
        yield
        return
    with file:
        with suppress(OSError):  # some network disks do not support locks
            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file closes, also if the process is killed
        yield
