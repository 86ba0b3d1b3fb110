"""Count the pixels of each train id in every mask of a set: the one counter of the project.

The check before a run reads what every mask stores, and keeps it as facts (`FactsCache`). The train ids follow from
the facts: the decoder of the training gets a picture in which each stored value occurs once, and the counts of the
values are added up by train id. So no mask is read twice, and a mask means the same everywhere. A mask that its facts
do not describe completely, such as one with very many colours, is read by the loader of the training.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.facts_cache import FactsCache
from semseg.datasets.file_facts import MaskFacts, read_mask_facts
from semseg.datasets.masks import decode_mask, decode_pair
from semseg.errors import SemsegError
from semseg.system.cache_folder import cache_dir
from semseg.system.worker_pool import run_all

NUM_VALUES = 256
_FEW_MASKS = 32  # with fewer, starting another process costs more time than it saves
_COMPLETE_MODES = ("L", "P", "RGB", "RGBA")  # of Pillow, whose pixels the facts describe completely


class MaskLoader(Protocol):
    """What loads the mask of a sample, such as `LoadTrainIds`; it can be pickled.

    It may also have `decode(mask: PIL.Image.Image, info) -> train ids`: the second half of loading.
    """

    def __call__(self, info: dict[str, Any]) -> Any:
        """Return the info with `gt_seg_map`: train ids, uint8, shape (height, width)."""


class DatasetFileLoader:
    """Load masks by the rules of a dataset.yaml, without the packages that a training needs.

    Args:
        path: of the dataset.yaml.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)

    def __call__(self, info: dict[str, Any]) -> dict[str, Any]:
        """Return a dict with `gt_seg_map`: train ids, uint8, shape (height, width)."""
        return {"gt_seg_map": decode_pair(info["img_path"], info["seg_map_path"], _rules_at(self.path))}

    def decode(self, mask: Image.Image, info: Mapping[str, Any]) -> np.ndarray:
        """Turn an opened mask into train ids."""
        return decode_mask(mask, _rules_at(self.path))


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
        infos: one for each mask: `img_path`, `seg_map_path`, and what the loader needs; not changed.
        num_processes: most processes that read.
        on_progress: called with the number of masks read and the number of masks to read.
        on_read: called with the number of masks to read, if any.

    Returns:
        Number of pixels by mask and train id, int64, shape (number of masks, 256).

    Raises:
        FileNotFoundError, ValueError: those of the loader.
    """
    histograms = np.zeros((len(infos), NUM_VALUES), np.int64)
    decode = _decoder_of(loader)
    facts = {} if decode is None else _read_facts(infos, num_processes, on_progress, on_read)
    rows = []  # of masks that the loader has to read
    for row, info in enumerate(infos):
        histogram = None if decode is None else _count_facts(decode, facts.get(info.get("seg_map_path")), info)
        if histogram is None:
            rows.append(row)
        else:
            histograms[row] = histogram
    if rows:
        if on_read is not None and decode is None:
            on_read(len(rows))
        chosen = [infos[row] for row in rows]
        histograms[rows] = run_all(partial(_count_mask, loader), chosen, _useful(num_processes, chosen), on_progress)
    return histograms


def _read_facts(
    infos: Sequence[dict[str, Any]],
    num_processes: int,
    on_progress: Callable[[int, int], None] | None,
    on_read: Callable[[int], None] | None,
) -> dict[Any, MaskFacts]:
    """Return the facts of the masks by path, and keep them."""
    paths = list(dict.fromkeys(Path(info["seg_map_path"]) for info in infos if info.get("seg_map_path")))
    if not paths:
        return {}
    with _locked(cache_dir() / "class-counts.lock"):
        cache = FactsCache([Path(info["img_path"]) for info in infos if info.get("img_path")] or paths)
        known = {path: facts for path in paths if (facts := cache.find("masks", path)) is not None}
        unknown = [path for path in paths if path not in known]
        if unknown:
            if on_read is not None:
                on_read(len(unknown))
            read = run_all(read_mask_facts, unknown, _useful(num_processes, unknown), on_progress)
            for path, facts in zip(unknown, read, strict=True):
                known[path] = facts
                cache.add("masks", path, facts)
            cache.save()
    return {info["seg_map_path"]: known[Path(info["seg_map_path"])] for info in infos if info.get("seg_map_path")}


def _useful(num_processes: int, items: Sequence) -> int:
    return num_processes if len(items) > _FEW_MASKS else 1


def _decoder_of(loader: Any) -> Callable[[Image.Image, Mapping[str, Any]], np.ndarray] | None:
    decode = getattr(loader, "decode", None)
    if decode is None and f"{type(loader).__module__}.{type(loader).__name__}".startswith("mmseg."):
        from semseg.datasets.transforms import LoadTrainIds  # which gives the same as MMSegmentation's LoadAnnotations

        decode = LoadTrainIds().decode
    return decode


def _count_facts(
    decode: Callable[[Image.Image, Mapping[str, Any]], np.ndarray], facts: MaskFacts | None, info: Mapping[str, Any]
) -> np.ndarray | None:
    """Return the pixels by train id of a mask; None if its facts do not give them, or the mask is wrong."""
    if facts is None or facts.problem or not facts.values or facts.num_transparent or facts.mode not in _COMPLETE_MODES:
        return None
    try:
        train_ids = decode(_draw_values(facts), info)
    except SemsegError:  # the loader raises it with the name of the mask and the true number of pixels
        return None
    return np.bincount(train_ids.ravel(), weights=facts.counts, minlength=NUM_VALUES).astype(np.int64)


def _draw_values(facts: MaskFacts) -> Image.Image:
    """Return a picture of one row that has each value of a mask once."""
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


_rules_at = lru_cache(read_dataset_file)  # read once by each process, which then keeps its colour table


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock on a file among the processes of this machine; without a lock on a read-only disk."""
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
