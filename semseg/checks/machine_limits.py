"""Check whether the machine has what a run needs: a work folder, shared memory, CPUs for the workers."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from semseg.checks.findings import Finding
from semseg.checks.recipe import find_crop_sizes, find_first_step
from semseg.config.tree import parts_with_type, type_name
from semseg.datasets.bands import LOADER
from semseg.system.machine import format_bytes, nearest_existing, num_cpus, num_local_processes

_SHARED = Path("/dev/shm")
_SAMPLE_BYTES = 3 + 8  # of a pixel in a batch of a worker: uint8 BGR, and the train id as int64
_BAND_BYTES = 4  # of a pixel in a band: float32


def check_machine(cfg: Config) -> list[Finding]:
    """Check the work folder, shared memory and workers of a training, before anything is built.

    Args:
        cfg: from `for_training`.
    """
    return [*_check_folder(cfg), *check_shared_memory(cfg), *_check_workers(cfg)]


def _check_folder(cfg: Config) -> Iterator[Finding]:
    folder = Path(cfg.get("work_dir") or ".")
    existing = nearest_existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        reason = "is a file" if existing.is_file() else f"cannot be written to ({(error.strerror or '').lower()})"
        message = f"the work folder {folder} cannot be made: {existing} {reason}; choose another with `work_dir`"
        yield Finding("error", "work-dir", "", 1, 1, message)


def _sample_bytes(loader: dict) -> int:
    """Return how many bytes a pixel has in a batch: of a photograph, or of a picture with `bands`, and its train id."""
    step = next((part for part in parts_with_type(loader) if type_name(part) == LOADER), None)
    return _SAMPLE_BYTES if step is None else len(step["bands"]) * _BAND_BYTES + 8


def check_shared_memory(cfg: Config, folder: Path = _SHARED) -> Iterator[Finding]:
    """Compare the batches that wait in shared memory with its free space: if it is full, a run ends with a bus error.

    Args:
        cfg: from `for_training`.
        folder: of shared memory.
    """
    if not folder.is_dir():
        return
    free = shutil.disk_usage(folder).free
    needs: dict[str, int] = {}
    for split in ("train", "val"):
        loader = cfg.get(f"{split}_dataloader") or {}
        num_waiting = loader.get("num_workers", 0) * (loader.get("prefetch_factor") or 2)
        batch_bytes = loader.get("batch_size", 1) * _num_pixels(cfg, split) * _sample_bytes(loader)
        needs[split] = num_waiting * batch_bytes * _num_processes(cfg)
    need = sum(needs.values())  # workers that persist hold their batches while the others work
    if need > free:
        split = max(needs, key=needs.__getitem__)
        num_workers = cfg[f"{split}_dataloader"].num_workers
        fitting = max(0, int((free - need + needs[split]) / needs[split] * num_workers))
        options = f"{split}_dataloader.num_workers={fitting}"
        if fitting == 0 and cfg[f"{split}_dataloader"].get("persistent_workers"):
            options += f" {split}_dataloader.persistent_workers=False"  # PyTorch refuses them without workers
        message = (
            f"the loader's workers put batches into {folder}, where they need about {format_bytes(need)} and"
            f" {format_bytes(free)} are free; start the container with --shm-size={math.ceil(2 * need / 2**30)}g"
            f" (docker), or take fewer workers with `cfg_options` {options}"
        )
        yield Finding("error", "shared-memory", "", 1, 1, message)


def _num_pixels(cfg: Config, split: str) -> int:
    """Return the number of pixels of a sample, or 0 if the pipeline has no fixed size."""
    loader = cfg.get(f"{split}_dataloader") or {}
    if split == "train":
        size = next(iter(find_crop_sizes(loader)), (0, 0))
    else:
        size = (find_first_step(loader, "Resize") or {}).get("scale") or (0, 0)
    return size[0] * size[1] if isinstance(size, (tuple, list)) else size**2


def _check_workers(cfg: Config) -> Iterator[Finding]:
    cpus, processes = num_cpus(), _num_processes(cfg)
    for split in ("train", "val"):
        num_workers = (cfg.get(f"{split}_dataloader") or {}).get("num_workers", 0)
        if num_workers * processes > cpus:
            workers = f"{num_workers} workers" + (f" in each of {processes} processes" if processes > 1 else "")
            message = (
                f"{workers} for {cpus} CPU{'s' * (cpus > 1)}: more workers than CPUs are not faster; set"
                f" {split}_dataloader.num_workers={max(1, cpus // processes)}"
            )
            yield Finding("warning", "workers", "", 1, 1, message)


def _num_processes(cfg: Config) -> int:
    return num_local_processes(cfg.get("launcher", "none"))
