"""Plain data, which a checkpoint can contain without being able to run code, and how it is written as JSON."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from semseg.errors import InvalidCheckpointError

HIDDEN = "***"
_SECRET = re.compile(
    r"(?:^|[._-])(?:token|password|passwd|passphrase|pwd|secret|credential|auth|(?:api|access|secret|private)[_-]?key)s?$",
    re.IGNORECASE,
)
# a password may contain a slash; a number and a slash after the colon are a port and a path
_USER_IN_URL = re.compile(r"(://)(?:[^/@\s:]+:(?!\d+/)[^@\s]+|[^/@\s]+)@")
_QUERY = re.compile(r"([?&]([\w.-]+)=)[^&\s]+")
_MIN_SECRET_LETTERS = 6  # a shorter value may be a part of other words
_FOLDERS = ("PWD", "OLDPWD")  # environment variables of a shell, not passwords
_KNOWN_WITHOUT_SCOPE = ("mmseg", "mmengine", "mmcv", "semseg", "torch")


def plain(value: Any, key: str = "") -> Any:
    """Convert a value to dicts, lists, tuples, strings, numbers, booleans and None.

    Tuples stay tuples, because RandomCrop and Resize refuse lists. Classes and functions become the names under which
    they are registered, arrays become lists, and everything else becomes `str(value)`. A value whose key looks like
    that of a secret is hidden.

    Args:
        value: anything, such as a config as a dict.
        key: under which a dict holds the value.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # pyrefly: ignore[unnecessary-type-conversion]  # torch.__version__ has a subclass of str
        return HIDDEN if is_secret(key) and value else without_user(str(value))
    for kind in (int, float):
        if isinstance(value, kind):  # np.float64 is a float
            return kind(value)
    if isinstance(value, Mapping):
        return {
            plain(name) if isinstance(name, (int, tuple)) else str(name): plain(child, str(name))
            for name, child in value.items()
        }
    if isinstance(value, tuple):
        return tuple(plain(child, key) for child in value)
    if isinstance(value, (list, set, frozenset)):
        return [plain(child, key) for child in (value if isinstance(value, list) else sorted(value, key=str))]
    if isinstance(value, (np.ndarray, np.generic, torch.Tensor)):
        return value.tolist()
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        package = value.__module__.partition(".")[0]
        return value.__name__ if package in _KNOWN_WITHOUT_SCOPE else f"{package}.{value.__name__}"
    return without_user(str(value))


def is_secret(key: str) -> bool:
    """Return whether a name looks like that of a secret, as `api_key` and `wandb.token` do."""
    return _SECRET.search(key) is not None


def without_user(text: str) -> str:
    """Replace user and password in the URLs of a text."""
    return _USER_IN_URL.sub(rf"\1{HIDDEN}@", text)


def without_secrets(text: str) -> str:
    """Replace secrets in a text that another program has written, such as the message of an error.

    These are users and passwords in URLs, values in the query of a URL, and the values of environment variables, where
    the name looks like that of a secret.
    """
    text = _QUERY.sub(lambda match: match[1] + HIDDEN if is_secret(match[2]) else match[0], without_user(text))
    for name, value in os.environ.items():
        if is_secret(name) and name not in _FOLDERS and len(value) >= _MIN_SECRET_LETTERS:
            text = text.replace(value, HIDDEN)
    return text


def round_scores(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the metrics that are numbers, rounded to four decimals; None for nan."""
    numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float, np.number))}
    return {name: round(value, 4) if math.isfinite(value) else None for name, value in numbers.items()}


def to_json(value: Any) -> str:
    """Write plain data as JSON, from which `from_json` restores tuples, and keys that are not strings."""
    return json.dumps(_encoded(value), separators=(",", ":"))


def from_json(text: str) -> Any:
    """Read what `to_json` wrote.

    Raises:
        ValueError: the text was not written by `to_json`.
    """
    try:
        return json.loads(text, object_hook=_decoded)
    except (TypeError, RecursionError) as error:
        raise InvalidCheckpointError(f"not what was written: {error}", code="E-checkpoint-description") from error


def _encoded(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"__tuple__": [_encoded(child) for child in value]}
    if isinstance(value, list):
        return [_encoded(child) for child in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _encoded(child) for key, child in value.items()}
        return {"__items__": [[_encoded(key), _encoded(child)] for key, child in value.items()]}
    return value


def _decoded(value: dict) -> Any:
    if set(value) == {"__tuple__"}:
        return tuple(value["__tuple__"])
    if set(value) == {"__items__"}:
        return dict(value["__items__"])
    return value
