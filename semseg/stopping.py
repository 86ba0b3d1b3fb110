"""A run that ends before its last iteration, on purpose."""

from __future__ import annotations


class Stopped(Exception):
    """The run has saved what is worth keeping, and ends here.

    Attributes:
        exit_code: what the process leaves with: 128 + the number of a signal (130 Ctrl-C, 143 SIGTERM),
            124 when its time was up, 1 when going on would have been a waste, 0 when it was asked to end here.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
