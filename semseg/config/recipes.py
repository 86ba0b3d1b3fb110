"""The configs that come with this project, found by their name wherever the project is installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def recipes_dir() -> Path:
    """Return the folder of the configs: inside an installed package, beside `semseg/` in a repository."""
    packaged = _PACKAGE / "configs"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "configs"


def recipes() -> dict[str, Path]:
    """Return all configs that can be run, by their name without `.py`."""
    paths = sorted(recipes_dir().rglob("*.py"))
    return {path.stem: path for path in paths if "_base_" not in path.relative_to(recipes_dir()).parts}


def find_recipe(name: str | Path) -> Path | None:
    """Return the config of that name, such as `pspnet_r18-d8_1xb4-1000_toycity-128x256`; None if there is none.

    Args:
        name: with or without `.py`; what holds a folder is no name.
    """
    name = str(name)
    return None if "/" in name or "\\" in name else recipes().get(name.removesuffix(".py"))


def shown_path(path: Path) -> str:
    """Return the path of a config as a person types it: from the working folder, or the name of a packaged one."""
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return path.stem if path.is_relative_to(recipes_dir()) else str(path)
