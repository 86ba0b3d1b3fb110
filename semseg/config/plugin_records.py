"""What a config and a checkpoint record of the plugins of a run: names and SHA-256, under `plugins`.

A checkpoint only names them, and nothing is imported for it: who uses the checkpoint names the file again.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from semseg.config.log import warn
from semseg.config.packages import how_to_install, missing_import
from semseg.config.plugin_files import Plugin, import_plugin, imported_plugins
from semseg.errors import InvalidConfigError

KEY = "plugins"
_SHA256 = re.compile("[0-9a-f]{64}")
STACK_PACKAGES = ("mmseg", "mmengine", "mmcv", "semseg", "torch")
"""Packages whose modules are no plugins."""


def import_custom_imports(cfg: Config, path: Path) -> list[Plugin]:
    """Import the modules that a config names in `custom_imports`; return those that belong to the user.

    A module is one that is installed, or a file in the folder of the config or in the working folder.

    Args:
        cfg: read without importing them.
        path: of the config.

    Raises:
        ValueError: one cannot be imported.
    """
    settings = cfg.get("custom_imports") or {}
    names = custom_import_names(settings)
    if names is None:
        raise InvalidConfigError(
            f"{path}: custom_imports is {settings!r}; expected dict(imports=['a_module'])", code="E-config-value"
        )
    plugins = []
    for name in names:
        try:
            if name.partition(".")[0] in STACK_PACKAGES:
                importlib.import_module(name)
            else:
                plugins.append(import_plugin(name.removesuffix(".py"), path.parent))
        except ImportError as error:
            if isinstance(settings, Mapping) and settings.get("allow_failed_imports"):
                warnings.warn(f"{name} failed to import and is ignored.", UserWarning, stacklevel=2)
                continue
            (given,) = _match([(name, None)])
            if given is not None:
                plugins.append(given)
                continue
            for recorded, _ in missing_plugins(cfg.get(KEY)):
                if _stem(recorded) == _stem(name):  # the config was written by a run, elsewhere
                    raise InvalidConfigError(
                        f"{path}: custom_imports names {name}, which is not in the folder of this config: add"
                        f" {plugin_flags([recorded])}, with the path of the file",
                        code="E-config-plugin-missing",
                    ) from error
            missing = missing_import(error)
            needs = str(error) if missing is None else f"custom_imports needs {missing}, {how_to_install(missing)}"
            raise InvalidConfigError(
                f"{path}: {needs}; custom_imports find modules that are installed, in the folder of the config, or in"
                " the working folder",
                code="E-config-package",
            ) from error
    return plugins


def custom_import_names(settings: Any) -> list[str] | None:
    """Return the names of modules in a value of `custom_imports`; None if it is something else."""
    names = settings.get("imports") if isinstance(settings, Mapping) else settings
    names = [names] if isinstance(names, str) else names or []
    return list(names) if isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names) else None


def merge_records(recorded: Any, plugins: Iterable[Plugin]) -> list[dict[str, str | None]]:
    """Return the records of imported plugins, and those of `recorded` that are not imported."""
    merged = {plugin.module: {"name": plugin.name, "sha256": plugin.sha256} for plugin in plugins}
    return [*merged.values(), *({"name": name, "sha256": digest} for name, digest in missing_plugins(recorded))]


def missing_plugins(recorded: Any) -> list[tuple[str, str | None]]:
    """Return name and SHA-256 of the recorded plugins that are not imported in this process."""
    records = _parse(recorded)
    return [record for record, plugin in zip(records, _match(records), strict=True) if plugin is None]


def plugin_flags(names: Sequence[str]) -> str:
    """Write the options that name plugins."""
    return " ".join(f"`{KEY}` {name}" for name in names)


def warn_of_changes(recorded: Any, user: object) -> None:
    """Warn of each imported plugin that is not the same file as the recorded one.

    Args:
        recorded: from a config or from the description in a checkpoint; not trusted.
        user: the config or checkpoint, for the message.
    """
    records = _parse(recorded)
    for (name, digest), plugin in zip(records, _match(records), strict=True):
        changed = plugin is not None and None not in (digest, plugin.sha256) and digest != plugin.sha256
        if changed:
            warn(
                "warning: %s was made with another version of the plugin %s (SHA-256 %s, and now %s): it may give"
                " other results",
                *(user, name, str(digest)[:8], str(plugin.sha256)[:8]),
            )


def records_of(description: Mapping[str, Any]) -> Any:
    """Return the record in the description of a checkpoint."""
    config = description.get("config")
    return config.get(KEY) if isinstance(config, Mapping) else None


def _match(records: Sequence[tuple[str, str | None]]) -> list[Plugin | None]:
    """Find the imported plugin of each record: by its content, else by its name, with or without folder and suffix."""
    free = imported_plugins()
    found: list[Plugin | None] = [None] * len(records)
    for is_same in (
        lambda name, digest, plugin: digest is not None and plugin.sha256 == digest,
        lambda name, digest, plugin: _stem(name) in (_stem(plugin.name), _stem(plugin.module)),
    ):
        for number, (name, digest) in enumerate(records):
            plugin = next((plugin for plugin in free if is_same(name, digest, plugin)), None)
            if found[number] is None and plugin is not None:
                found[number] = plugin
                free.remove(plugin)
    return found


def _stem(name: str) -> str:
    return name.removesuffix(".py").rpartition(".")[2]


def _parse(recorded: Any) -> list[tuple[str, str | None]]:
    """Return name and SHA-256 of the entries of a record, which is not trusted.

    Entries of another form are left out. What is no SHA-256 counts as not recorded.
    """
    entries = recorded if isinstance(recorded, (list, tuple)) else ()
    pairs = [(entry.get("name"), entry.get("sha256")) for entry in entries if isinstance(entry, Mapping)]
    return [
        (
            "".join(letter if letter.isprintable() else "?" for letter in Path(name).name),
            digest if isinstance(digest, str) and _SHA256.fullmatch(digest) else None,
        )
        for name, digest in pairs
        if isinstance(name, str)
    ]
