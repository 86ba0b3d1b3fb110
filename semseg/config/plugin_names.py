"""The names that a plugin registers and imports: they must not be those of others."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import mmengine.registry
import mmseg.registry
from mmengine.registry import Registry

from semseg.errors import InvalidConfigError


def check_names(own: Collection[str], shown: str, before: dict[int, dict[str, Any]]) -> None:
    """Check that the modules of a plugin replace no part of others, by `force=True` or in a related registry.

    A checkpoint could later be used with the other part, without a word.
    """
    replaced = []
    for registry in list(registries()):
        old = before.get(id(registry), {})
        for key, new in list(registry.module_dict.items()):
            if old.get(key) is new or getattr(new, "__module__", None) not in own:
                continue
            owners = [old[key]] if key in old else []
            owners += [other.module_dict[key] for other in _related(registry) if key in other.module_dict]
            replaced += [(key, owner.__module__) for owner in owners if owner is not new][:1]
            if key in old:
                registry.module_dict[key] = old[key]
    for key, owner in replaced[:1]:
        raise InvalidConfigError(
            f"{shown} registers {key}, and {owner} has a part of that name; choose another name",
            code="E-config-plugin-name",
        )


def check_siblings(module: types.ModuleType) -> None:
    """Check that a plugin has imported the files beside it, and not others of the same name."""
    file = file_of(module)
    if file is None:
        return
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
            beside = {file.parent / f"{name}.py", file.parent / name / "__init__.py"} - {file}
            found = file_of(sys.modules.get(name))
            if found is not None and found not in beside and any(path.is_file() for path in beside):
                raise InvalidConfigError(
                    f"{file} line {node.lineno}: import {name} finds {found}, not the file beside it; rename that file",
                    code="E-config-plugin-name",
                )


def registries() -> Iterator[Registry]:
    """Yield all registries of MMEngine, of MMSegmentation, and of the packages between."""
    waiting = [value for value in vars(mmengine.registry).values() if isinstance(value, Registry)]
    waiting += [value for value in vars(mmseg.registry).values() if isinstance(value, Registry)]
    seen: set[int] = set()
    while waiting:
        registry = waiting.pop()
        if id(registry) not in seen:
            seen.add(id(registry))
            yield registry
            waiting += registry.children.values()


def _related(registry: Registry) -> Iterator[Registry]:
    """Yield the registries above and below, which are searched for the same names."""
    above = registry.parent
    while above is not None:
        yield above
        above = above.parent
    waiting = list(registry.children.values())
    while waiting:
        below = waiting.pop()
        yield below
        waiting += below.children.values()


def file_of(module: types.ModuleType | None) -> Path | None:
    """Return the path of the source of a module."""
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file and file.endswith(".py") else None
