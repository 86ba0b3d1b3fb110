"""Packages that a config needs and that are not installed."""

from __future__ import annotations

import importlib.util

from mmengine.config import Config

from semseg import compat
from semseg.config.tree import walk
from semseg.errors import InvalidConfigError

_EXTRAS = {"mmdet": "mmdet", "mmpretrain": "mmpretrain", "mmcls": "mmpretrain"}  # name in an import: extra
_PIP_NAMES = {  # name in an import: name for pip
    "mmrotate": "mmrotate",
    "mmdet3d": "mmdet3d",
    "mmpose": "mmpose",
    "mmaction": "mmaction2",
    "dsdl": "dsdl",
}
_COMPILED = {  # part of a model: the compiled operator of MMCV that it calls
    "PSAHead": "PSAMask",
    "DCN": "DeformConv2d",
    "DCNv2": "ModulatedDeformConv2d",
    "carafe": "CARAFE",
    "RoIAlign": "RoIAlign",
}


def check_packages(cfg: Config) -> None:
    """Check that the packages and the compiled operators that a model needs are installed.

    Raises:
        ValueError: one is not; the sentence names the key, the package, and how to install it.
    """
    for key, value in walk(cfg.to_dict().get("model"), "model"):
        if not key.endswith(".type") or not isinstance(value, str):
            continue
        package, _, name = value.rpartition(".")
        package = package.partition(".")[0]
        if package in (*_EXTRAS, *_PIP_NAMES) and not is_installed(package):
            raise InvalidConfigError(f"{key} is {value!r}, {how_to_install(package)}", code="E-config-package")
        if name in _COMPILED and not compat.operators.is_compiled():
            raise InvalidConfigError(
                f"{key.removesuffix('.type')} ({name}) {how_to_compile(_COMPILED[name])}, or choose another part",
                code="E-config-operator",
            )


def how_to_install(package: str) -> str:
    """Return the end of a sentence about a package that is not installed: `and the package … pip install …`."""
    name = package.partition(".")[0]
    command = f"-e '.[{_EXTRAS[name]}]'" if name in _EXTRAS else _PIP_NAMES.get(name, name)
    return f"and the package {name} is not installed: pip install {command}"


def how_to_compile(operator: str) -> str:
    """Return the middle of a sentence about a part that calls an operator: `needs the operator … MMCV_WITH_OPS=1`."""
    return (
        f"needs the operator {operator}, and the installed onedl-mmcv is compiled without it:"
        " build it from source with MMCV_WITH_OPS=1"
    )


def missing_import(error: ImportError) -> str | None:
    """Return the name of the module that was not found, from a chain of errors; None if no module is missing."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return cause.name
        cause = cause.__cause__ or cause.__context__
    return None


def is_installed(package: str) -> bool:
    """Return whether a package can be imported; it is not imported."""
    return importlib.util.find_spec(package) is not None
