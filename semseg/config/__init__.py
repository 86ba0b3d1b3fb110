"""From a config file and a command line to one finished config.

All packages of the project use `semseg.config.tree`, so this file imports nothing itself.
"""

from __future__ import annotations

from semseg.system.lazy import lazy_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from semseg.config.read import for_inference, load_config

__all__ = ["for_inference", "load_config"]

__getattr__ = lazy_attributes(__name__, {"for_inference": "read", "load_config": "read"})
