"""Which checkpoint a run continues, or which weights it starts from."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process

from semseg import compat
from semseg.checkpoints.files import numbered_checkpoints, run_checkpoints
from semseg.checkpoints.reading import is_checkpoint
from semseg.config.classes import shortened
from semseg.config.from_checkpoint import existing_checkpoint
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidConfigError, MissingConfigError
from semseg.training.options import ResumeOptions

NEWEST, AUTO = "newest", "auto"
RESTARTED = "restarted"
"""As AUTO, in a folder that this run has used already: the launcher has started it again."""


def configure(cfg: Config, options: ResumeOptions) -> Patch:
    """Continue a run, or start one from the weights of another.

    `resume` is a path; or `newest`, the newest good checkpoint of the work folder; or `auto`, the same, or a fresh
    start if there is none. `load_from` is a path or an address; with `auto` a run that cannot be continued starts from
    it.

    Raises:
        FileNotFoundError: no such checkpoint; the sentence lists those beside it.
        ValueError: the file is damaged, or has no state to continue; or `load_from` with a run that is continued.
    """

    def edit(edited: Config) -> None:
        resume_checkpoint(edited, options.resume)
        _load_from(edited, options)

    hooks = []
    patch = changes(cfg, edit)
    starts = patch.values.get(("load_from",), cfg.get("load_from"))
    if starts and not patch.values.get(("resume",), cfg.get("resume")):
        hooks.append(dict(type="FineTuningHook"))
    return Patch(patch.values, hooks=hooks)


def _load_from(cfg: Config, options: ResumeOptions) -> None:
    """Start (in place) from the weights of another run, unless the run is continued."""
    if options.load_from is not None:
        if cfg.get("resume") and options.resume != AUTO:
            raise InvalidConfigError("--load-from starts a new run, and --resume continues one; leave one of them out")
        if not cfg.get("resume"):
            cfg.load_from = options.load_from
    if cfg.get("load_from") and not cfg.get("resume"):
        if "://" not in cfg.load_from:
            cfg.load_from = str(existing_checkpoint(cfg.load_from))
        _leave_out_pretrained(cfg)


def _leave_out_pretrained(cfg: Config) -> None:
    """Fetch no weights for a backbone that gets those of the checkpoint."""
    for node in (cfg.model, cfg.model.get("backbone") or {}):
        if node.get("pretrained") is not None:
            node["pretrained"] = None
    backbone = cfg.model.get("backbone") or {}
    if isinstance(backbone.get("init_cfg"), dict) and backbone["init_cfg"].get("type") == "Pretrained":
        backbone["init_cfg"] = None


def resume_checkpoint(cfg: Config, wanted: str | None) -> None:
    """Make `cfg` (in place) continue a checkpoint, with the seed that it was trained with.

    Args:
        cfg: of a training.
        wanted: a path; `newest`, the newest good checkpoint of the work folder; `auto`, the same, or a fresh
            start if there is none; `restarted`, the same as `auto`; None: as the config says (`resume`, `load_from`).

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
        raise MissingConfigError(f"--resume: no {path} on this machine; choose a --work-dir that all machines see")
    if seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=seed)
    cfg.resume = True
    cfg.load_from = path


def _decide(cfg: Config, wanted: str) -> tuple[Exception | None, str | None, int | None]:
    """Return what speaks against it, the checkpoint (None for a fresh start), and its seed."""
    try:
        path, content = _find(checkpoint_dir(cfg), wanted)
        if path is None:
            return None, None, None
        if "optimizer" not in content:
            raise InvalidConfigError(
                f"--resume: {path} holds weights without the state of the optimizer; resume an iter_*.pth or"
                " epoch_*.pth, or start a new run from its weights with --load-from"
            )
        if "message_hub" not in content:
            writer = "MMSegmentation 0.x" if "mmcv_version" in (content.get("meta") or {}) else "something else"
            raise InvalidConfigError(
                f"--resume: {path} was written by {writer}, without the state of the run that MMEngine continues"
                " (message_hub); start a new run from its weights with --load-from"
            )
        seed, given = content.get("meta", {}).get("seed"), cfg.get("randomness", {}).get("seed")
        if seed is not None and given not in (None, seed):
            raise InvalidConfigError(
                f"--seed {given}: {path} was trained with seed {seed}; leave --seed out, or start a new run"
            )
    except (ValueError, FileNotFoundError) as error:
        return error, None, None
    return None, str(path), seed


def checkpoint_dir(cfg: Config) -> Path:
    """Return the folder of a training's checkpoints: as MMEngine's CheckpointHook places it."""
    out_dir = ((cfg.get("default_hooks") or {}).get("checkpoint") or {}).get("out_dir")
    return Path(out_dir, Path(cfg.work_dir).name) if out_dir else Path(cfg.work_dir)


def index_of(paths: list[Path], name: str) -> int:
    """Return the place of a file in a list of paths; 0 where it is not in it."""
    return next((i for i, path in enumerate(paths) if path.name == name), 0)


def _find(work_dir: Path, wanted: str) -> tuple[Path | None, dict[str, Any]]:
    if wanted in (NEWEST, AUTO, RESTARTED):
        path, content = _newest_good(work_dir)
        if path is None and wanted == NEWEST:
            raise MissingConfigError(_nothing_to_resume(work_dir))
        return path, content
    path = Path(wanted)
    if not path.is_file():
        beside = sorted(other.name for other in path.parent.glob("*") if is_checkpoint(other))
        raise MissingConfigError(f"--resume: no checkpoint {path}; {path.parent} holds {', '.join(beside) or 'none'}")
    return path, read_whole(path)


def _nothing_to_resume(work_dir: Path) -> str:
    others = [path.name for path in run_checkpoints(work_dir)]
    if not others:
        return f"--resume: no checkpoint in {work_dir}; leave it out to start a new run"
    return (
        f"--resume: nothing in {work_dir} can be resumed ({shortened(others, 3)}); start a new run with another"
        " --work-dir, from those weights with --load-from if they are good"
    )


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
    newest = index_of(numbered, (work_dir / "last.pth").resolve().name)
    return numbered[newest:] + numbered[:newest]


def is_zip(path: Path) -> bool:
    """Tell whether a file starts as PyTorch's files do from version 1.6 on; those before it have no checksums."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"")


def read_whole(path: Path) -> dict[str, Any]:
    """Read a checkpoint to its last byte, and compare the checksums in it.

    Raises:
        ValueError: the file is cut off, altered, or holds code.
    """
    if is_zip(path):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # PyTorch writes the checksums, but does not look at them
        except zipfile.BadZipFile:
            damaged = "its end is missing"
        if damaged:
            raise InvalidConfigError(f"{path} is damaged ({damaged})")
    return compat.load_checkpoint_file(path, map_location="cpu")
