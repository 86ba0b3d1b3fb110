"""Repairs to how the stack loads checkpoint files, so that no code in them is run.

`semseg/compat/__init__.py` describes how a repair is written.
"""

from __future__ import annotations

import contextlib
import contextvars
import copy
import os
import pickle
import re
import threading
import urllib.error
import zipfile
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray

from semseg.errors import InvalidCheckpointError, SemsegError


def restricted_getattr(owner: Any, name: str) -> Any:
    """Replace `getattr` in a checkpoint: return one of the four statistics of HistoryBuffer, and nothing else.

    Raises:
        pickle.UnpicklingError: it is another attribute, or of another object.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is HistoryBuffer and name in ("min", "max", "mean", "current"):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f"attribute {name!r} of {owner!r} is not allowed in a checkpoint")


_ARRAY_FUNCTIONS = (multiarray._reconstruct, multiarray.scalar)
_ARRAY_MODULES = (
    "numpy._core.multiarray",
    "numpy.core.multiarray",
)  # of NumPy 2; of NumPy 1, most files have it


def safe_globals() -> list[Any]:
    """List what a checkpoint may refer to besides tensors: the few classes that MMEngine stores."""
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
    """Load checkpoints that carry code too, from now on in this context. Loading runs that code.

    A context is one of `contextvars`: each thread has its own. With `contextvars.copy_context().run`, a call trusts
    checkpoints until it returns, and other calls are not affected.
    """
    _trusted.set(True)


def checkpoints_are_trusted() -> bool:
    """Return whether `trust_checkpoints` was called in this context."""
    return _trusted.get()


@contextlib.contextmanager
def files_read_once() -> Generator[None]:
    """Read each checkpoint file once in this block: later reads return the same content, also if the file is replaced.

    A training may replace `last.pth` during a test: description, weights and results have to be of one model.
    """
    token = _contents.set({})
    try:
        yield
    finally:
        _contents.reset(token)


def read_once(path: Any, map_location: Any, read: Callable[[], Any]) -> Any:
    """Return `read()`, or in a block of `files_read_once` what it returned for the same file before.

    Args:
        path: of the file.
        map_location: as in `torch.load`.
        read: reads the file. The caller may modify the returned dict, and the dicts in it.
    """
    contents = _contents.get()
    if contents is None or not isinstance(path, (str, os.PathLike)):
        return read()
    key = os.path.abspath(path), str(map_location or "cpu"), _trusted.get()  # noqa: PTH100
    if key not in contents:
        contents[key] = read()
    content = contents[key]
    if not isinstance(content, dict):
        return content
    return {name: copy.copy(value) if isinstance(value, dict) else value for name, value in content.items()}


_contents: contextvars.ContextVar[dict[tuple, Any] | None] = contextvars.ContextVar("contents_read_once", default=None)
_trusted: contextvars.ContextVar[bool] = contextvars.ContextVar("checkpoints_are_trusted", default=False)
_loading = threading.RLock()  # PyTorch has one list of allowed classes for the whole process


def load_checkpoint_file(
    file: Any, map_location: Any = None, weights_only: bool | None = None, mmap: bool = False
) -> Any:
    """Read a checkpoint file without running code from it, unless all are trusted.

    A config as text under `meta.config` is removed: Runner.resume would execute it.

    Args:
        file: a path, or an open binary file.
        map_location: as in `torch.load`.
        weights_only: ignored; it is always True, or False after `trust_checkpoints`.
        mmap: leave the weights on the disk until they are used, if the format allows it; faster if few are needed.

    Raises:
        ValueError: the file would run code, or is damaged; the message names the file and the reason.
    """
    return read_once(file, map_location, lambda: _load(file, map_location, mmap))


def _load(file: Any, map_location: Any, mmap: bool) -> Any:
    name = file if isinstance(file, (str, os.PathLike)) else getattr(file, "name", "the checkpoint")
    with _convert_errors(name):
        mmap = mmap and zipfile.is_zipfile(file)
        loaded = torch.load(file, map_location=map_location, weights_only=not _trusted.get(), mmap=mmap)
    if isinstance(loaded, dict) and isinstance(loaded.get("meta"), dict):
        loaded["meta"].pop("config", None)
    return loaded


@contextlib.contextmanager
def _convert_errors(name: Any) -> Generator[None]:
    """Allow what a checkpoint may refer to, and convert errors while it is loaded to a CheckpointError."""
    try:
        with _loading, torch.serialization.safe_globals(safe_globals()):
            yield
    except pickle.UnpicklingError as error:
        match = re.search(r"GLOBAL (\S+)|attribute \S+ of .* is not allowed", str(error))
        # a match that is not a name comes from a text file
        if match is not None and (match[1] is None or re.fullmatch(r"[\w.]+", match[1])):
            raise InvalidCheckpointError(
                f"{name} is not loaded: it holds more than weights ({match[1] or match[0]}) and could run code; get a"
                " copy with weights only, or load it with `trust_checkpoint` if you trust its maker",
                code="E-checkpoint-code",
            ) from error
        reason = re.search(r"Unsupported operand|Trying to .*", str(error))
        raise InvalidCheckpointError(
            f"{name} is not a complete checkpoint ({reason.group(0) if reason else 'no weights'}); copy it again",
            code="E-checkpoint-damaged",
        ) from error
    except (ImportError, AttributeError) as error:  # of a checkpoint that is trusted
        raise InvalidCheckpointError(
            f"{name} carries code that needs other code, which is not installed: {error}", code="E-checkpoint-import"
        ) from error
    except SemsegError:
        raise
    except Exception as error:  # damaged bytes raise almost any type
        if "TorchScript" in str(error):
            raise InvalidCheckpointError(
                f"{name} is a TorchScript archive, which is a program: use the checkpoint that it was made from",
                code="E-checkpoint-format",
            ) from error
        if isinstance(error, OSError) and (error.filename or isinstance(error, urllib.error.URLError)):
            raise
        text = "it asks for more memory than there is" if isinstance(error, MemoryError) else str(error) or "empty"
        reason = text.splitlines()[0].partition(". ")[0]
        raise InvalidCheckpointError(
            f"{name} is not a complete checkpoint ({reason}); copy it again", code="E-checkpoint-damaged"
        ) from error


def load_weights_only() -> None:
    """Make MMEngine load every checkpoint without running code in it.

    Defect: MMEngine tries `weights_only=True` first, but falls back to `weights_only=False`, which runs code in the
    file; its list of allowed names contains `getattr`, which gives access to everything; and downloads are always
    loaded with `weights_only=False`.
    Cause: `mmengine.runner.checkpoint._safe_torch_load`, `get_torch_safe_globals` and `load_url`.
    """
    import mmengine.runner.checkpoint as stock

    def load_url(
        url: str,
        model_dir: str | None = None,
        map_location: Any = None,
        progress: bool = True,
        check_hash: bool = False,
        file_name: str | None = None,
        weights_only: bool = False,  # ignored, as in load_checkpoint_file
    ) -> Any:
        with _convert_errors(url):
            return torch.hub.load_state_dict_from_url(
                url, model_dir, map_location, progress, check_hash, file_name, weights_only=not _trusted.get()
            )

    stock._safe_torch_load = load_checkpoint_file
    stock.get_torch_safe_globals = safe_globals
    stock.load_url = load_url
