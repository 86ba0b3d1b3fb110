"""Choose the checkpoint that a run continues, or the weights that it starts from."""

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
from semseg.config.from_checkpoint import existing_checkpoint
from semseg.config.options import STOCK
from semseg.config.patch import Patch, changes
from semseg.errors import InvalidCheckpointError, InvalidConfigError, MissingCheckpointError, SemsegError
from semseg.system.wording import listing
from semseg.training.options import ResumeOptions

NEWEST, AUTO = "newest", "auto"
RESTARTED = "restarted"
"""As AUTO, in a folder that this run has already used: the launcher has started the run again."""


def configure(cfg: Config, options: ResumeOptions) -> Patch:
    """Continue a run, or start one from the weights of another.

    `resume` is a path; or `newest`, the newest good checkpoint of the work folder; or `auto`, the same, or a new run
    if there is none. `load_from` is a path or an address; with `auto`, a run that cannot be continued starts from it.

    Raises:
        FileNotFoundError: no such checkpoint; the message lists those beside it.
        ValueError: the file is damaged, or has no state to continue; or `load_from` with a run that is continued.
    """

    def edit(edited: Config) -> None:
        resume_checkpoint(edited, options.resume)
        _set_load_from(edited, options)

    hooks = []
    patch = changes(cfg, edit)
    load_from = patch.values.get(("load_from",), cfg.get("load_from"))
    if load_from and not patch.values.get(("resume",), cfg.get("resume")):
        hooks.append(dict(type="FineTuningHook"))
    return Patch(patch.values, hooks=hooks)


def _set_load_from(cfg: Config, options: ResumeOptions) -> None:
    """Start from the weights of another run, unless the run is continued. Modifies `cfg`."""
    if options.load_from is not None:
        if cfg.get("resume") and options.resume != AUTO:
            raise InvalidConfigError(
                "`load_from` starts a new run, and `resume` continues one; leave one of them out",
                code="E-config-conflict",
            )
        if not cfg.get("resume"):
            cfg.load_from = options.load_from
    if cfg.get("load_from") and not cfg.get("resume"):
        if "://" not in cfg.load_from:
            cfg.load_from = str(existing_checkpoint(cfg.load_from))
        if options.performance != STOCK:  # MMSegmentation loads both, which draws other random numbers
            _disable_pretrained(cfg)


def _disable_pretrained(cfg: Config) -> None:
    """Download no weights for a backbone that gets those of the checkpoint. Modifies `cfg`."""
    for node in (cfg.model, cfg.model.get("backbone") or {}):
        if node.get("pretrained") is not None:
            node["pretrained"] = None
    backbone = cfg.model.get("backbone") or {}
    if isinstance(backbone.get("init_cfg"), dict) and backbone["init_cfg"].get("type") == "Pretrained":
        backbone["init_cfg"] = None


def resume_checkpoint(cfg: Config, wanted: str | None) -> None:
    """Continue a checkpoint, with the seed that it was trained with. Modifies `cfg`.

    Args:
        cfg: of a training.
        wanted: a path; `newest`, the newest good checkpoint of the work folder; `auto`, the same, or a new run if
            there is none; `restarted`, the same as `auto`; None: as the config says (`resume`, `load_from`).

    Raises:
        FileNotFoundError: there is no such checkpoint.
        ValueError: the file is damaged or holds no optimizer state, or the run is given another seed.
    """
    if wanted is None and cfg.get("resume"):
        wanted = cfg.get("load_from") or NEWEST
    shared = [wanted]
    broadcast_object_list(shared)
    wanted = shared[0]
    if wanted is None:
        return
    # one process chooses for all: the others might see another file
    choice: list[Any] = [_choose_checkpoint(cfg, wanted) if is_main_process() else None]
    broadcast_object_list(choice)
    error, path, seed = choice[0]
    if error is not None:
        raise error
    if path is None:
        cfg.resume = False
        return
    if not Path(path).is_file():
        raise MissingCheckpointError(
            f"`resume`: no {path} on this machine; choose a `work_dir` that all machines see",
            code="E-checkpoint-missing",
        )
    if seed is not None:
        cfg.randomness = dict(cfg.get("randomness", {}), seed=seed)
    cfg.resume = True
    cfg.load_from = path


def _choose_checkpoint(cfg: Config, wanted: str) -> tuple[Exception | None, str | None, int | None]:
    """Return the error if there is one, the path of the checkpoint (None for a new run), and its seed."""
    try:
        path, content = _find_checkpoint(checkpoint_dir(cfg), wanted)
        if path is None:
            return None, None, None
        if "optimizer" not in content:
            raise InvalidCheckpointError(
                f"`resume`: {path} holds weights without the state of the optimizer; resume an iter_*.pth or"
                " epoch_*.pth, or start a new run from its weights with `load_from`",
                code="E-checkpoint-not-resumable",
            )
        if "message_hub" not in content:
            writer = "MMSegmentation 0.x" if "mmcv_version" in (content.get("meta") or {}) else "something else"
            raise InvalidCheckpointError(
                f"`resume`: {path} was written by {writer}, without the state of the run that MMEngine continues"
                " (message_hub); start a new run from its weights with `load_from`",
                code="E-checkpoint-not-resumable",
            )
        seed, given = content.get("meta", {}).get("seed"), cfg.get("randomness", {}).get("seed")
        if seed is not None and given not in (None, seed):
            raise InvalidConfigError(
                f"`seed` {given}: {path} was trained with seed {seed}; leave `seed` out, or start a new run",
                code="E-config-resume-differs",
            )
    except (ValueError, FileNotFoundError) as error:
        return error, None, None
    return None, str(path), seed


def checkpoint_dir(cfg: Config) -> Path:
    """Return the folder of a training's checkpoints, the same as MMEngine's CheckpointHook chooses."""
    out_dir = ((cfg.get("default_hooks") or {}).get("checkpoint") or {}).get("out_dir")
    return Path(out_dir, Path(cfg.work_dir).name) if out_dir else Path(cfg.work_dir)


def index_of(paths: list[Path], name: str) -> int:
    """Return the index of a file in a list of paths; 0 if it is not in the list."""
    return next((i for i, path in enumerate(paths) if path.name == name), 0)


def _find_checkpoint(work_dir: Path, wanted: str) -> tuple[Path | None, dict[str, Any]]:
    if wanted in (NEWEST, AUTO, RESTARTED):
        newest, content = _newest_good(work_dir)
        if newest is None and wanted == NEWEST:
            raise _nothing_to_resume(work_dir)
        return newest, content
    path = Path(wanted)
    if not path.is_file():
        beside = sorted(other.name for other in path.parent.glob("*") if is_checkpoint(other))
        raise MissingCheckpointError(
            f"`resume`: no checkpoint {path}; {path.parent} holds {', '.join(beside) or 'none'}",
            code="E-checkpoint-missing",
        )
    return path, read_whole(path)


def _nothing_to_resume(work_dir: Path) -> SemsegError:
    """Return the error for a folder without a checkpoint that can be resumed."""
    names = [path.name for path in run_checkpoints(work_dir)]
    if not names:
        message = f"`resume`: no checkpoint in {work_dir}; leave it out to start a new run"
    else:
        message = (
            f"`resume`: nothing in {work_dir} can be resumed ({listing(names)}); start a new run with another"
            " `work_dir`, from those weights with `load_from` if they are good"
        )
    return MissingCheckpointError(message, code="E-checkpoint-missing")


def _newest_good(work_dir: Path) -> tuple[Path | None, dict[str, Any]]:
    """Return the newest checkpoint that can be read, and print a warning for each that cannot."""
    for path in _from_newest(work_dir):
        try:
            return path, read_whole(path)
        except ValueError as error:
            print(f"warning: {error}; the one before it is used", file=sys.stderr)
    return None, {}


def _from_newest(work_dir: Path) -> list[Path]:
    """List the checkpoints: the one that was written last, then those before it, then those after it."""
    numbered = numbered_checkpoints(work_dir)
    newest = index_of(numbered, (work_dir / "last.pth").resolve().name)
    return numbered[newest:] + numbered[:newest]


def is_zip(path: Path) -> bool:
    """Return whether a file starts as PyTorch's files do since version 1.6; older files have no checksums."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"")


def read_whole(path: Path) -> dict[str, Any]:
    """Read a checkpoint to its last byte, and verify its checksums.

    Raises:
        ValueError: the file is cut off or altered, or contains code.
    """
    if is_zip(path):
        try:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # PyTorch writes the checksums, but does not verify them
        except zipfile.BadZipFile:
            damaged = "its end is missing"
        if damaged:
            raise InvalidCheckpointError(f"{path} is damaged ({damaged})", code="E-checkpoint-damaged")
    return compat.load_checkpoint_file(path, map_location="cpu")
