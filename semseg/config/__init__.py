"""From a config file and a command line to one finished config.

All packages of the project use `semseg.config.tree`, so this file imports nothing itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from semseg.config.read import for_inference, load_config

__all__ = ["for_inference", "load_config"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from semseg.config import read

    return getattr(read, name)
