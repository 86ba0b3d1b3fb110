"""The configs that are shipped with this project, found by name wherever the project is installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def recipes_dir() -> Path:
    """Return the folder of the configs: inside `semseg/` if the package is installed, beside it in a repository."""
    packaged = _PACKAGE / "configs"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "configs"


def recipes() -> dict[str, Path]:
    """Return all configs except the parts in `_base_`: name without `.py` to path."""
    paths = sorted(recipes_dir().rglob("*.py"))
    return {path.stem: path for path in paths if "_base_" not in path.relative_to(recipes_dir()).parts}


def find_recipe(name: str | Path) -> Path | None:
    """Return the config with a name, such as `pspnet_r18-d8_1xb4-1000_toycity-128x256`; None if there is none.

    Args:
        name: with or without `.py`; None is returned for a path with folders.
    """
    name = str(name)
    return None if "/" in name or "\\" in name else recipes().get(name.removesuffix(".py"))


def shown_path(path: Path) -> str:
    """Return a config as it is written on a command line: relative to the working folder, else a shipped one's name."""
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return path.stem if path.is_relative_to(recipes_dir()) else str(path)
