"""Check that the keys of a config file and of `--cfg-options` have an effect."""

from __future__ import annotations

import ast
import difflib
import inspect
import logging
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner

from semseg.config.version0 import SUCCESSORS
from semseg.errors import InvalidConfigError, MissingConfigError

EFFECTIVE_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {"self", "cfg"} | {
    # read by MMEngine with cfg.get, by MMSegmentation's tools, or by this module
    "custom_imports",
    "plugins",  # a record, see plugin_records.py
    "model_wrapper_cfg",
    "find_unused_parameters",
    "sync_bn",
    "compile",
    "frozen_parts",
    "runner_type",
    "tta_model",
    "tta_pipeline",
}
"""Top-level names that change a run. Every other name in a config file is a helper variable of that file."""


def check_file(path: Path) -> None:
    """Check that no top-level name of a config file is a misspelt key; warn about names that are not used.

    A name is used if MMEngine reads it (EFFECTIVE_KEYS), if its own file uses it, or if a file that inherits from it
    reads `_base_.name`. Of the configs in MMSegmentation 1.4, one fails: `models = dict(…)` in a BiSeNet config, which
    has no effect in MMSegmentation either.

    Raises:
        FileNotFoundError: a base file is missing.
        ValueError: a misspelt key, or the file is not Python.
    """
    trees = dict(_parse_with_bases(path))
    used_by_children = {
        node.attr
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "_base_"
    }
    for file, tree in trees.items():
        assigned = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        for name in sorted(assigned - EFFECTIVE_KEYS - used - used_by_children - {"_base_"}):
            # without tta_pipeline, because many files have an unused test_pipeline
            near = difflib.get_close_matches(name, EFFECTIVE_KEYS - {"tta_pipeline"}, 1, 0.8)
            if near:
                raise InvalidConfigError(
                    f"{file}: unknown key {name!r}; did you mean {near[0]!r}?", code="E-config-key"
                )
            why = f"1.x says {SUCCESSORS[name]}" if name in SUCCESSORS else "nothing uses it"
            logging.getLogger("semseg").warning("%s: %r has no effect: %s", file, name, why)


def _parse_with_bases(path: Path) -> Iterator[tuple[Path, ast.Module]]:
    source = path.read_text(encoding="utf-8")
    source = re.sub(r"['\"]?\{\{\s*([\w.]+)\s*\}\}['\"]?", lambda m: m.group(1), source)  # {{_base_.name}}
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise InvalidConfigError(
            f"{path} line {error.lineno} is not Python: {error.msg}", code="E-config-unreadable"
        ) from error
    yield path, tree
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "_base_":
            bases = ast.literal_eval(node.value)
            for base in [bases] if isinstance(bases, str) else bases:
                if "::" in base:
                    raise InvalidConfigError(
                        f"{path}: base {base!r}: give a path relative to this file instead of '::'",
                        code="E-config-unreadable",
                    )
                base_path = path.parent / base
                if not base_path.is_file():
                    raise MissingConfigError(f"{path}: no base file {base_path}", code="E-config-missing")
                if base_path.suffix == ".py":
                    yield from _parse_with_bases(base_path)


def check_option(cfg: Config, key: str) -> None:
    """Check that an option has an effect.

    Raises:
        ValueError: an unknown key, or a helper name of the config file; the sentence says what to set.
    """
    content = cfg.to_dict()
    head, *rest = key.split(".")
    helpers = {"data_preprocessor"} if "data_preprocessor" in content["model"] else set()
    if head not in EFFECTIVE_KEYS - helpers:
        if head in content:
            places = list(_places_of(content, head))
            use = f"; set {'.'.join([places[0], *rest])}" if places else ""
            raise InvalidConfigError(
                f"`cfg_options` {key} has no effect: {head} is a helper name inside the config file{use}",
                code="E-config-key",
            )
        if head in SUCCESSORS:
            successor = SUCCESSORS.get(key, SUCCESSORS[head])
            raise InvalidConfigError(
                f"`cfg_options` {key}: {head!r} is a key of MMSegmentation 0.x; 1.x says {successor}",
                code="E-config-version",
            )
        raise InvalidConfigError(
            f"`cfg_options` {key}: unknown key {head!r}{_did_you_mean(head, EFFECTIVE_KEYS)}", code="E-config-key"
        )
    node: Any = content
    for depth, part in enumerate(key.split(".")):
        if isinstance(node, (list, tuple)):
            if not part.isdigit() or int(part) >= len(node):
                where = ".".join(key.split(".")[:depth])
                raise InvalidConfigError(
                    f"`cfg_options` {key}: {where} is a list of {len(node)}; expected 0 to {len(node) - 1}",
                    code="E-config-key",
                )
            node = node[int(part)]
        elif isinstance(node, dict):
            if part not in node:
                if depth:
                    _check_new_key(node, part, key)
                return
            node = node[part]
        else:
            return  # the option replaces a plain value by a dict


def _check_new_key(node: dict, part: str, key: str) -> None:
    """Check a key that `node` does not have yet: it must be an argument of its class, or unlike any known key."""
    accepted = set(node)
    parameters = _parameters(node["type"]) if isinstance(node.get("type"), str) else None
    if parameters is not None:
        accepted |= parameters
        if part in parameters:
            return
        where = f"{node['type']} takes no {part!r}"
    else:
        if key.split(".")[0].endswith("_dataloader") and key.count(".") == 1:
            accepted |= set(inspect.signature(torch.utils.data.DataLoader.__init__).parameters)
        if part in accepted or not difflib.get_close_matches(part, accepted, 1, 0.8):
            return
        where = f"unknown key {part!r}"
    raise InvalidConfigError(f"`cfg_options` {key}: {where}{_did_you_mean(part, accepted)}", code="E-config-key")


def _parameters(type_name: str) -> set[str] | None:
    """Return the arguments of the class registered as `type_name` and of its bases; None if there is no such class."""
    import mmseg.registry

    for registry in vars(mmseg.registry).values():
        if isinstance(registry, Registry) and (registered := registry.get(type_name)) is not None:
            owners = inspect.getmro(registered) if inspect.isclass(registered) else [registered]
            calls = [owner.__init__ if inspect.isclass(owner) else owner for owner in owners]
            names = {name for call in calls for name in _parameter_names(call)}
            return names - {"self", "args", "kwargs"} | {"type", "_scope_", "_delete_"}
    return None


def _parameter_names(call: Any) -> list[str]:
    try:
        return list(inspect.signature(call).parameters)
    except (TypeError, ValueError):
        return []


def _places_of(node: Any, name: str, path: str = "") -> Iterator[str]:
    """Yield the places inside effective keys that have the key `name`."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, child in items:
        here = f"{path}.{key}" if path else str(key)
        top = here.split(".")[0]
        if top in EFFECTIVE_KEYS and top != "data_preprocessor":
            if key == name and path:
                yield here
            yield from _places_of(child, name, here)


def _did_you_mean(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
