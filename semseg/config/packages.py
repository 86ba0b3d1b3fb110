"""Packages that a config needs and that are not installed."""

from __future__ import annotations

import importlib.util

from mmengine.config import Config

from semseg.config.tree import walk
from semseg.errors import InvalidConfigError

_PIP_NAMES = {  # name in an import: name for pip
    "mmdet": "onedl-mmdetection",
    "mmpretrain": "onedl-mmpretrain",
    "mmcls": "onedl-mmpretrain",
    "mmrotate": "mmrotate",
    "mmdet3d": "mmdet3d",
    "mmpose": "mmpose",
    "mmaction": "mmaction2",
    "dsdl": "dsdl",
}


def check_packages(cfg: Config) -> None:
    """Check that all packages that a model takes parts from are installed.

    Raises:
        ValueError: one is not; the sentence names the key, the package, and how to install it.
    """
    for key, value in walk(cfg.to_dict().get("model"), "model"):
        package = value.partition(".")[0] if key.endswith(".type") and isinstance(value, str) else ""
        if package in _PIP_NAMES and not _is_installed(package):
            raise InvalidConfigError(f"{key} is {value!r}, {how_to_install(package)}", code="E-config-package")


def how_to_install(package: str) -> str:
    """Return the end of a sentence about a package that is not installed: `and the package … pip install …`."""
    name = package.partition(".")[0]
    return f"and the package {name} is not installed: pip install {_PIP_NAMES.get(name, name)}"


def missing_import(error: ImportError) -> str | None:
    """Return the name of the module that was not found, from a chain of errors; None if no module is missing."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return cause.name
        cause = cause.__cause__ or cause.__context__
    return None


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
