"""Hooks that every run has, whatever its config says."""

from __future__ import annotations

from mmengine.config import Config


def ensure_hook(cfg: Config, hook: dict) -> None:
    """Add a custom hook to `cfg` (in place), unless it has one of that type already."""
    hooks = cfg.get("custom_hooks") or []
    if not any(present["type"] == hook["type"] for present in hooks):
        cfg.custom_hooks = [*hooks, hook]


def replace_hook(cfg: Config, hook: dict) -> None:
    """Add a hook (in place); a config that was written by another run may hold one with other arguments."""
    cfg.custom_hooks = [other for other in cfg.get("custom_hooks") or [] if other["type"] != hook["type"]]
    ensure_hook(cfg, hook)


def note(cfg: Config, line: str) -> None:
    """Write a line into the log when the run starts (in place): what became of the config, and why."""
    ensure_hook(cfg, dict(type="NotesHook", lines=[]))
    hook = next(hook for hook in cfg.custom_hooks if hook["type"] == "NotesHook")
    hook["lines"] = [*hook["lines"], line]
