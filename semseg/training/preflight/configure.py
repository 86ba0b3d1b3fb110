"""The trial before the first iteration."""

from __future__ import annotations

from mmengine.config import Config

from semseg.errors import InvalidConfigError


def try_first(cfg: Config, check: bool = True, dry_run: bool = False) -> None:
    """Let a training (in place) try its steps before it takes them.

    Args:
        cfg: of a training.
        check: otherwise it goes ahead.
        dry_run: end it after the trial.

    Raises:
        ValueError: a dry run without the trial.
    """
    if dry_run and not check:
        raise InvalidConfigError("--dry-run checks and ends, --no-check leaves the checks out; leave one of them out")
    others = [hook for hook in cfg.get("custom_hooks") or [] if hook["type"] != "PreflightHook"]
    cfg.custom_hooks = [*others, dict(type="PreflightHook", dry_run=dry_run)] if check else others
