"""Repairs to how the stack loads checkpoint files: no code in them is run.

A part of `semseg/compat/__init__.py`, which says how a repair is written.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import pickle
import re
import threading
import urllib.error
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from semseg.errors import InvalidCheckpointError


def restricted_getattr(owner: Any, name: str) -> Any:
    """Stand in for `getattr` inside a checkpoint: the four statistics of HistoryBuffer, nothing else.

    Raises:
        pickle.UnpicklingError: any other attribute of any other object is asked for.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is HistoryBuffer and name in ("min", "max", "mean", "current"):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f"attribute {name!r} of {owner!r} is not allowed in a checkpoint")


_ARRAY_FUNCTIONS = (np._core.multiarray._reconstruct, np._core.multiarray.scalar)
_ARRAY_MODULES = ("numpy._core.multiarray", "numpy.core.multiarray")  # of NumPy 2; of NumPy 1, which wrote most files


def safe_globals() -> list[Any]:
    """List what a checkpoint may name beyond tensors: the few classes that MMEngine really stores."""
    from mmengine.logging.history_buffer import HistoryBuffer

    dtypes = {type(np.dtype(name)) for name in "?bBhHiIlLqQefd"}
    return [
        HistoryBuffer,
        (restricted_getattr, "builtins.getattr"),
        np.ndarray,
        np.dtype,
        *sorted(dtypes, key=str),
        *((function, f"{module}.{function.__name__}") for module in _ARRAY_MODULES for function in _ARRAY_FUNCTIONS),
    ]


def trust_checkpoints() -> None:
    """From now on, in this context, load checkpoints that carry code too: loading runs it.

    A context is that of `contextvars`: a thread has its own, and `contextvars.copy_context().run` ends it, so that what
    one call trusts is trusted by no other.
    """
    _trusted.set(True)


def checkpoints_are_trusted() -> bool:
    """Return whether `trust_checkpoints` was called in this context."""
    return _trusted.get()


_trusted: contextvars.ContextVar[bool] = contextvars.ContextVar("checkpoints_are_trusted", default=False)
_loading = threading.RLock()  # PyTorch keeps the list of what a file may name for the whole process


def load_checkpoint_file(
    file: Any, map_location: Any = None, weights_only: bool | None = None, mmap: bool = False
) -> Any:
    """Read a checkpoint file without running code from it, unless all are trusted.

    A config as text under `meta.config` is left out: Runner.resume would execute it.

    Args:
        file: a path, or an open binary file.
        map_location: as in `torch.load`.
        weights_only: ignored: it is True, or False after `trust_checkpoints`.
        mmap: leave the weights on the disk until they are used, if the format allows it; for a short look.

    Raises:
        ValueError: the file would run code, or is damaged; the sentence names the file and the reason.
    """
    name = file if isinstance(file, (str, os.PathLike)) else getattr(file, "name", "the checkpoint")
    with _faults_of(name):
        mmap = mmap and zipfile.is_zipfile(file)
        loaded = torch.load(file, map_location=map_location, weights_only=not _trusted.get(), mmap=mmap)
    if isinstance(loaded, dict) and isinstance(loaded.get("meta"), dict):
        loaded["meta"].pop("config", None)
    return loaded


@contextlib.contextmanager
def _faults_of(name: Any) -> Iterator[None]:
    """Allow what a checkpoint may name, and say in one sentence what is wrong with one."""
    try:
        with _loading, torch.serialization.safe_globals(safe_globals()):
            yield
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)|attribute \S+ of .* is not allowed", str(error))
        named = found and (found.group(1) or found.group(0))
        if found is not None and (found.group(1) is None or re.fullmatch(r"[\w.]+", named)):  # else it is text
            raise InvalidCheckpointError(
                f"{name} is not loaded: it holds more than weights ({named}) and could"
                " run code; get a copy with weights only, or load it with --trust-checkpoint if you trust its maker"
            ) from error
        reason = re.search(r"Unsupported operand|Trying to .*", str(error))
        raise InvalidCheckpointError(
            f"{name} is not a complete checkpoint ({reason.group(0) if reason else 'no weights'}); copy it again"
        ) from error
    except (ImportError, AttributeError) as error:  # of one that is trusted
        raise InvalidCheckpointError(
            f"{name} carries code that needs other code, which is not here: {error}"
        ) from error
    except (RuntimeError, EOFError, LookupError, OSError) as error:
        if "TorchScript" in str(error):
            raise InvalidCheckpointError(
                f"{name} is a TorchScript archive, a program and no checkpoint: take the weights that it was made from"
            ) from error
        if isinstance(error, OSError) and (error.filename or isinstance(error, urllib.error.URLError)):
            raise
        reason = (str(error) or "empty").splitlines()[0].partition(". ")[0]
        raise InvalidCheckpointError(f"{name} is not a complete checkpoint ({reason}); copy it again") from error


def load_weights_only() -> None:
    """Make every checkpoint load safe.

    Defect: MMEngine tries `weights_only=True` first, but falls back to `weights_only=False`, which runs
    code out of the file; its list of allowed names holds `getattr`, which reaches everything; and a download
    is loaded with `weights_only=False` at once.
    Cause: `mmengine.runner.checkpoint._safe_torch_load`, `get_torch_safe_globals` and `load_url`.
    """
    import mmengine.runner.checkpoint as stock

    def load_url(url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True) -> Any:
        with _faults_of(url):
            return torch.hub.load_state_dict_from_url(
                url, model_dir, map_location, progress, weights_only=not _trusted.get()
            )

    stock._safe_torch_load = load_checkpoint_file
    stock.get_torch_safe_globals = safe_globals
    stock.load_url = load_url
