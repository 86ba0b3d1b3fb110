"""Add custom hooks to a config."""

from __future__ import annotations

from mmengine.config import Config


def ensure_hook(cfg: Config, hook: dict) -> None:
    """Add a custom hook, unless the config has one of that type already. Modifies `cfg`."""
    hooks = cfg.get("custom_hooks") or []
    if not any(present["type"] == hook["type"] for present in hooks):
        cfg.custom_hooks = [*hooks, hook]


def replace_hook(cfg: Config, hook: dict) -> None:
    """Add a custom hook, and remove those of the same type, which another run may have written. Modifies `cfg`."""
    remove_hooks(cfg, hook["type"])
    ensure_hook(cfg, hook)


def remove_hooks(cfg: Config, *types: str) -> None:
    """Remove the custom hooks of some types, which a config may list. Modifies `cfg`."""
    hooks = cfg.get("custom_hooks") or []
    if any(hook["type"] in types for hook in hooks):
        cfg.custom_hooks = [hook for hook in hooks if hook["type"] not in types]


def note(cfg: Config, line: str) -> None:
    """Add a line for the log of the run: what was changed in the config, and why. Modifies `cfg`."""
    ensure_hook(cfg, dict(type="NotesHook", lines=[]))
    hook = next(hook for hook in cfg.custom_hooks if hook["type"] == "NotesHook")
    hook["lines"] = [*hook["lines"], line]
