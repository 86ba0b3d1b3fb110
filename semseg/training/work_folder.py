"""The folder that a run writes to: nobody else's."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from semseg.checkpoints.files import numbered_checkpoints, run_checkpoints
from semseg.config.classes import shortened
from semseg.config.patch import Patch
from semseg.errors import UsedFolderError
from semseg.training.options import FolderOptions
from semseg.training.resume import AUTO, RESTARTED, checkpoint_dir, index_of


def configure(cfg: Config, options: FolderOptions) -> Patch:
    """Refuse to write among the checkpoints of another run, which would be deleted and overwritten.

    Raises:
        FileExistsError: the folder holds checkpoints, and this run does not continue one of them.
    """
    wanted = options.resume
    if (cfg.get("default_hooks") or {}).get("checkpoint", {}) is None or wanted == RESTARTED:
        return Patch()  # it saves nothing, or the files are its own
    folder = checkpoint_dir(cfg)
    present = [path.name for path in run_checkpoints(folder)]
    if not present:
        return Patch()
    numbered = numbered_checkpoints(folder)
    held = f"{folder} holds the checkpoints of another run ({shortened(present, 3)})"
    if not cfg.get("resume"):
        if not numbered:
            ways = "none of them can be resumed, so choose another folder with --work-dir"
        elif wanted == AUTO:
            ways = "--resume auto can read none of them, so choose another folder with --work-dir"
        else:
            ways = "continue that run with --resume, or choose another folder with --work-dir"
        raise UsedFolderError(f"{held}: {ways}")
    resumed = Path(cfg.load_from)
    if resumed.resolve().parent != folder.resolve():
        raise UsedFolderError(
            f"--resume {resumed}: {held}; continue that one with --resume alone, or choose another folder with"
            " --work-dir"
        )
    later = [path.name for path in numbered[: index_of(numbered, resumed.resolve().name)]]
    if not later:
        return Patch()
    return Patch(notes=[f"goes on after {resumed.name}; later checkpoints will be overwritten: {shortened(later, 3)}"])
