"""Import the Python files of a user that register parts, such as a loss or a transform.

A plugin is imported like any other module: its folder is appended to `sys.path`, and its name is the name of the file.
Therefore it can import the files beside it, and the classes in it can be pickled, which loader workers need. If
another module has that name, such as a file of the same name in another folder, the name gets the name of the folder
in front: `experiments.losses`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from semseg.config.packages import how_to_install
from semseg.config.plugin_names import check_names, check_siblings, file_of, registries
from semseg.errors import InvalidConfigError, MissingConfigError

_TAKEN = re.compile(r"(\S+) is already registered in .+ at (\S+?)'?$")


class Plugin(NamedTuple):
    """An imported plugin.

    Attributes:
        name: of the file, such as `my-loss.py`; or of the module, if it was given by the name of a module.
        sha256: of the file; None if the module is no Python file.
        module: name of the module.
        modules: names of the modules that belong to it: the plugin, and those beside it that it has imported.
    """

    name: str
    sha256: str | None
    module: str
    modules: frozenset[str]


_imported: dict[str, Plugin] = {}
"""All plugins of this process by the name of their module."""


def imported_plugins() -> list[Plugin]:
    """Return all plugins that were imported in this process."""
    return list(_imported.values())


def is_of_plugin(registered: Any) -> bool:
    """Return whether a registered class or function is defined in a plugin."""
    module = getattr(registered, "__module__", "")
    return any(module in plugin.modules for plugin in _imported.values())


def import_plugins(plugins: str | Path | Sequence[str | Path] | None) -> list[Plugin]:
    """Import Python files or modules, which register their parts; one that has changed is imported again.

    Args:
        plugins: paths of Python files, relative to the working folder, or names of modules.

    Raises:
        FileNotFoundError: there is no such file or module.
        ValueError: a file cannot be imported; the sentence names the line. Or it registers a name that is in use.
    """
    given = [plugins] if isinstance(plugins, (str, Path)) else list(plugins or ())
    imported = []
    for plugin in given:
        try:
            imported.append(import_plugin(plugin))
        except ModuleNotFoundError as error:
            raise MissingConfigError(
                f"`plugins` {plugin}: {error}; expected the path of a Python file, or the name of a module that is"
                " installed or in the working folder",
                code="E-config-plugin-missing",
            ) from error
    return imported


def import_plugin(plugin: str | Path, beside: Path | None = None) -> Plugin:
    """Import a Python file or a module.

    Args:
        plugin: path of a Python file, relative to the working folder; or the name of a module, which is installed or
            in the working folder.
        beside: a second folder of modules.

    Raises:
        ModuleNotFoundError: there is no such module.
        FileNotFoundError, ValueError: those of `import_plugins`.
    """
    folders = [Path.cwd(), *([] if beside is None else [beside.resolve()])]
    if isinstance(plugin, Path) or plugin.endswith(".py") or os.sep in plugin:
        path = Path(plugin).resolve()
        if not path.is_file():
            kind = "is a folder" if path.is_dir() else "is not there"
            raise MissingConfigError(
                f"`plugins` {plugin}: {path} {kind}; expected the path of a Python file, or the name of a module",
                code="E-config-plugin-missing",
            )
        return _import_file(path)
    # a module in the folder of a config is meant, even if something else is installed under its name
    files = [folder / f"{plugin}.py" for folder in reversed(folders)]
    if (local := next((path for path in files if path.is_file()), None)) is not None:
        return _import_file(local)
    for folder in folders:
        _append_to_path(folder)
    return _import(plugin, plugin, None)


def find_frame(error: BaseException, folder: Path | None = None) -> tuple[str, int] | None:
    """Return file and line of the innermost call in a plugin, or in `folder`; None if there is none."""
    names = {name for plugin in _imported.values() for name in plugin.modules}
    files = {file_of(sys.modules.get(name)) for name in names}
    place, traceback = None, error.__traceback__
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file in files or (folder is not None and file.is_relative_to(folder) and "site-packages" not in file.parts):
            place = str(file), traceback.tb_lineno
        traceback = traceback.tb_next
    return place


def _import_file(path: Path) -> Plugin:
    name = _name_for(path)
    return _import(name, path.name, path)


def _name_for(path: Path) -> str:
    """Return a name under which a file can be imported, and append the folder that it needs to `sys.path`."""
    importlib.invalidate_caches()  # the file may be new
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():  # a file in a package may import others by `from . import`
        parts.insert(0, folder.name)
        folder = folder.parent
    while "." not in "".join(parts):
        is_new = _append_to_path(folder)
        if _leads_to(parts, folder, path):
            if not (path.parent / "__init__.py").is_file():
                _append_to_path(path.parent)  # for the files beside it
            return ".".join(parts)
        if is_new:
            sys.path.remove(str(folder))
        if folder.parent == folder:
            break
        parts.insert(0, folder.name)
        folder = folder.parent
    raise InvalidConfigError(
        f"{path} cannot be imported, because of a dot or because another module has the name {path.stem}: rename it",
        code="E-config-plugin-name",
    )


def _append_to_path(folder: Path) -> bool:
    is_new = str(folder) not in sys.path
    if is_new:
        sys.path.append(str(folder))
    return is_new


def _leads_to(parts: list[str], folder: Path, path: Path) -> bool:
    """Return whether importing `a.b` finds `path`, by its first part only, which imports nothing."""
    try:
        spec = importlib.util.find_spec(parts[0])
    except (ValueError, ImportError):  # a module without specification, such as __main__
        return False
    if spec is None:
        return False
    if len(parts) == 1:
        return spec.origin is not None and Path(spec.origin).resolve() == path
    places = [Path(place).resolve() for place in spec.submodule_search_locations or ()]
    return places[:1] == [folder / parts[0]]


def _import(name: str, shown: str, path: Path | None) -> Plugin:
    for registry in registries():
        registry.import_from_location()  # otherwise they would find names of the plugin in use, and blame themselves
    digest = _digest_of(path or file_of(sys.modules.get(name)))
    known = _imported.get(name)
    if known is not None and name in sys.modules:
        if known.sha256 == digest:
            return known
        _forget(name)  # it was edited while this process runs, as in a notebook
    registered = {id(registry): dict(registry.module_dict) for registry in registries()}
    modules = set(sys.modules)
    try:
        module = importlib.import_module(name)
        file = file_of(module)
        own = {name, *(other for other in set(sys.modules) - modules if file is not None and _is_beside(other, file))}
        check_siblings(module)
        check_names(own, str(path or shown), registered)
    except (Exception, SystemExit) as error:
        _forget(name)
        if isinstance(error, (InvalidConfigError, MissingConfigError)):
            raise
        raise _import_error(name, path, error) from error
    _imported[name] = Plugin(shown, _digest_of(file), name, frozenset(own))
    return _imported[name]


def _import_error(name: str, path: Path | None, error: BaseException) -> Exception:
    """Return the error that says in which line of which file importing failed."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
        return ModuleNotFoundError(f"no module {name}", name=error.name)
    origin = importlib.util.find_spec(name.partition(".")[0]) if path is None else None
    folder = path.parent if path is not None else Path(origin.origin).parent if origin and origin.origin else None
    if isinstance(error, SyntaxError) and error.filename:
        place: tuple[str, int | None] | None = error.filename, error.lineno
        message = f"this is not Python: {error.msg}"
    else:
        place = find_frame(error, folder)
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    where = str(path or name) if place is None else f"{place[0]} line {place[1]}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return InvalidConfigError(f"{where} needs {error.name}, {how_to_install(error.name)}", code="E-config-plugin")
    if isinstance(error, KeyError) and (taken := _TAKEN.search(str(error).strip("\"'"))):
        owner = "is registered twice in this file" if taken[2] == name else f"is in use by {taken[2]}"
        return InvalidConfigError(
            f"{where}: the name {taken[1]} {owner}; choose another name", code="E-config-plugin-name"
        )
    return InvalidConfigError(f"{where}: {' '.join(message.split())}", code="E-config-plugin")


def _is_beside(name: str, file: Path) -> bool:
    other = file_of(sys.modules.get(name))
    return other is not None and other.parent == file.parent


def _forget(name: str) -> None:
    """Remove a module and what it has registered, so that it can be imported again."""
    for registry in registries():
        for key, value in list(registry.module_dict.items()):
            if getattr(value, "__module__", None) == name:
                del registry.module_dict[key]
    sys.modules.pop(name, None)
    _imported.pop(name, None)


def _digest_of(path: Path | None) -> str | None:
    return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
