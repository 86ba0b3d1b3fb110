"""Which checkpoint a run continues."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process

from semseg import compat
from semseg.checkpoints.files import numbered_checkpoints

NEWEST, AUTO = "newest", "auto"


def resume_checkpoint(cfg: Config, wanted: str | None) -> None:
    """Make `cfg` (in place) continue a checkpoint, with the seed that it was trained with.

    Args:
        cfg: of a training.
        wanted: a path; `newest`, the newest good checkpoint of the work folder; `auto`, the same, or a fresh
            start if there is none; None: as the config says (`resume`, `load_from`).

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: the file is damaged or holds no optimizer state, or the run is given another seed.
    """
    if wanted is None and cfg.get("resume"):
        wanted = cfg.get("load_from") or NEWEST
    asked = [wanted]
    broadcast_object_list(asked)
    wanted = asked[0]
    if wanted is None:
        return
    decided = [_decide(cfg, wanted) if is_main_process() else None]  # one looks: the others might see another file
    broadcast_object_list(decided)
    error, path, seed = decided[0]
    if error is not None:
        raise error
    if path is None:
        cfg.resume = False
        return
    if not Path(path).is_file():
        raise FileNotFoundError(f"--resume: no {path} on this machine; choose a --work-dir that all machines see")
    if seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=seed)
    cfg.resume = True
    cfg.load_from = path


def _decide(cfg: Config, wanted: str) -> tuple[Exception | None, str | None, int | None]:
    """Return what speaks against it, the checkpoint (None for a fresh start), and its seed."""
    try:
        path, content = _find(Path(cfg.work_dir), wanted)
        if path is None:
            return None, None, None
        if "optimizer" not in content:
            raise ValueError(
                f"--resume: {path} holds weights without the state of the optimizer; resume an iter_*.pth, or start"
                " a new run from its weights with --load-from"
            )
        seed, given = content.get("meta", {}).get("seed"), cfg.get("randomness", {}).get("seed")
        if seed is not None and given not in (None, seed):
            raise ValueError(
                f"--seed {given}: {path} was trained with seed {seed}; leave --seed out, or start a new run"
            )
    except (ValueError, FileNotFoundError) as error:
        return error, None, None
    return None, str(path), seed


def _find(work_dir: Path, wanted: str) -> tuple[Path | None, dict[str, Any]]:
    if wanted in (NEWEST, AUTO):
        path, content = _newest_good(work_dir)
        if path is None and wanted == NEWEST:
            raise FileNotFoundError(f"--resume: no checkpoint in {work_dir}; leave it out to start a new run")
        return path, content
    path = Path(wanted)
    if not path.is_file():
        beside = sorted(other.name for other in path.parent.glob("*.pth"))
        raise FileNotFoundError(f"--resume: no checkpoint {path}; {path.parent} holds {', '.join(beside) or 'none'}")
    return path, read_whole(path)


def _newest_good(work_dir: Path) -> tuple[Path | None, dict[str, Any]]:
    """Return the newest checkpoint that can be read; those that cannot are named on the screen."""
    for path in _candidates(work_dir):
        try:
            return path, read_whole(path)
        except ValueError as error:
            print(f"warning: {error}; the one before it is used", file=sys.stderr)
    return None, {}


def _candidates(work_dir: Path) -> list[Path]:
    """List the checkpoints: the one that was written last, then those before it, then those after it."""
    numbered = numbered_checkpoints(work_dir)
    last = (work_dir / "last.pth").resolve().name
    last_iter = next((number for number, path in numbered if path.name == last), None)
    if last_iter is None:
        return [path for _, path in numbered]
    return [path for number, path in numbered if number <= last_iter] + [
        path for number, path in numbered if number > last_iter
    ]


def read_whole(path: Path) -> dict[str, Any]:
    """Read a checkpoint to its last byte, and compare the checksums in it.

    Raises:
        ValueError: the file is cut off, altered, or holds code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # PyTorch writes the checksums, but does not look at them
    except zipfile.BadZipFile:
        damaged = "its end is missing"
    if damaged:
        raise ValueError(f"{path} is damaged ({damaged})")
    return compat.load_checkpoint_file(path, map_location="cpu")
