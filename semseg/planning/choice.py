"""What a rule returns: a value, and why."""

from __future__ import annotations

from typing import Any, NamedTuple


class Choice(NamedTuple):
    """A choice of the plan.

    Attributes:
        name: what is chosen, such as `crop`.
        value: for the config.
        shown: the value for people.
        reason: one or two sentences with the figures that decided.
    """

    name: str
    value: Any
    shown: str
    reason: str
