"""Facts about how a run was started: versions, hardware, repository and command."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from semseg import __version__
from semseg.checkpoints.plain import HIDDEN, is_secret, without_user
from semseg.system.machine import num_cpus

_GIB = 1024**3


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that compute; `cuda` is None for a CPU build."""
    import mmcv
    import mmengine
    import mmseg

    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "cuda": torch.version.cuda,
        "mmengine": mmengine.__version__,
        "mmcv": mmcv.__version__,
        "mmseg": mmseg.__version__,
        "semseg": __version__,
        "numpy": np.__version__,
    }


def hardware() -> dict:
    """Return the model of the CPU, its cores, the memory, and the GPUs that this process can use."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.is_file() else []
    gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return {
        "cpu": models[0] if models else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": num_cpus(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB, 1),
        "gpus": [{"name": gpu.name, "memory_gib": round(gpu.total_memory / _GIB, 1)} for gpu in gpus],
    }


def git_state() -> dict | None:
    """Return the revision of the current folder, and whether files under version control differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.strip()

    try:
        dirty = bool(git("status", "--porcelain", "--untracked-files=no"))
        return {"revision": git("rev-parse", "HEAD"), "dirty": dirty}
    except (OSError, subprocess.SubprocessError):  # no git, or no repository
        return None


def command_line(arguments: Sequence[str] | None = None) -> str:
    """Return the command of this process as it would be typed; secrets are hidden.

    Args:
        arguments: default: those of this process.
    """
    shown, hide_next = [], False
    for argument in sys.argv if arguments is None else arguments:
        name, equals, value = argument.partition("=")
        if hide_next or (equals and is_secret(name) and value not in ("True", "False", "None")):
            argument = f"{name}={HIDDEN}" if equals and not hide_next else HIDDEN
        hide_next = argument.startswith("--") and not equals and is_secret(argument)
        shown.append(without_user(argument))
    is_installed = bool(shown) and shown[0].partition(" ")[0] == "semseg"  # not a program in tools/
    return shlex.join([*shown[0].split(), *shown[1:]] if is_installed else ["python", *shown])


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
