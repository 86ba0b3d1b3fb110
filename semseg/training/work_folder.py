"""Check that the work folder of a run holds no other run."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from semseg.checkpoints.files import numbered_checkpoints, run_checkpoints
from semseg.config.patch import Patch
from semseg.errors import UsedFolderError
from semseg.system.wording import listing
from semseg.training.options import FolderOptions
from semseg.training.resume import AUTO, RESTARTED, checkpoint_dir, index_of


def configure(cfg: Config, options: FolderOptions) -> Patch:
    """Refuse to write to a folder with checkpoints of another run, which would be deleted or overwritten.

    Raises:
        FileExistsError: the folder holds checkpoints, and this run does not continue one of them.
    """
    wanted = options.resume
    if (cfg.get("default_hooks") or {}).get("checkpoint", {}) is None or wanted == RESTARTED:
        return Patch()  # the run saves nothing, or the files are its own
    folder = checkpoint_dir(cfg)
    present = [path.name for path in run_checkpoints(folder)]
    if not present:
        return Patch()
    numbered = numbered_checkpoints(folder)
    fault = f"{folder} holds the checkpoints of another run ({listing(present)})"
    if not cfg.get("resume"):
        if not numbered:
            advice = "none of them can be resumed, so choose another folder with `work_dir`"
        elif wanted == AUTO:
            advice = "`resume` auto can read none of them, so choose another folder with `work_dir`"
        else:
            advice = "continue that run with `resume`, or choose another folder with `work_dir`"
        raise UsedFolderError(f"{fault}: {advice}", code="E-config-used-folder")
    resumed = Path(cfg.load_from)
    if resumed.resolve().parent != folder.resolve():
        raise UsedFolderError(
            f"`resume` {resumed}: {fault}; continue that one with `resume` alone, or choose another folder with"
            " `work_dir`",
            code="E-config-used-folder",
        )
    later = [path.name for path in numbered[: index_of(numbered, resumed.resolve().name)]]
    if not later:
        return Patch()
    return Patch(notes=[f"continues after {resumed.name}; later checkpoints will be overwritten: {listing(later)}"])
