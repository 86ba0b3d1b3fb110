"""How long a step takes, and how much memory it takes at its peak."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from semseg.system.machine import available_memory_bytes

_NO_MEMORY = ("can't allocate memory", "ALLOC_FAILED")  # what PyTorch says on a CPU, and GPU libraries


class Cost(NamedTuple):
    """Of a step.

    Attributes:
        seconds: it took.
        num_bytes: at the peak; on a GPU of all that is allocated, on a CPU more than when the meter was made.
    """

    seconds: float
    num_bytes: int


class OutOfMemory(Exception):
    """A step did not get the memory that it asked for."""


class Meter:
    """Measure steps of a model.

    On a GPU it is PyTorch's own account. On a CPU it is the growth of the whole process (its resident set),
    because that holds much that has nothing to do with the step.

    Args:
        device: where the model lies.

    Attributes:
        fixed_bytes: of what a step is said to take, what was there before: the weights on a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._gpu = device if device.type == "cuda" else None
        self._base = 0 if self._gpu is not None else self._used()
        self.fixed_bytes = self._used() - self._base

    @property
    def is_cpu(self) -> bool:
        """Whether too large a step ends the process, instead of raising an error."""
        return self._gpu is None

    def measure(self, step: Callable[[], object]) -> Cost:
        """Run a step.

        Raises:
            OutOfMemory: it did not fit.
        """
        self._reset_peak()
        start = time.perf_counter()
        try:
            step()
            if self._gpu is not None:
                torch.cuda.synchronize(self._gpu)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory from error
        except RuntimeError as error:
            if not any(words in str(error) for words in _NO_MEMORY):
                raise
            raise OutOfMemory from error
        return Cost(time.perf_counter() - start, max(0, self._peak() - self._base))

    def limit_bytes(self) -> int:
        """Return how much a step can take, counted as `Cost.num_bytes` is."""
        if self._gpu is None:
            return self._used() - self._base + available_memory_bytes()
        return torch.cuda.mem_get_info(self._gpu)[0] + torch.cuda.memory_reserved(self._gpu)

    def _used(self) -> int:
        if self._gpu is not None:
            return torch.cuda.memory_allocated(self._gpu)
        with contextlib.suppress(OSError, AttributeError):  # glibc hands back what was freed; others have no such call
            ctypes.CDLL(None).malloc_trim(0)
        return _status("VmRSS") or _peak_of_process()

    def _reset_peak(self) -> None:
        if self._gpu is not None:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._gpu)
            return
        self._used()
        with contextlib.suppress(OSError):  # not allowed everywhere: then only a new highest peak is seen
            Path("/proc/self/clear_refs").write_text("5")

    def _peak(self) -> int:
        if self._gpu is not None:
            return torch.cuda.max_memory_allocated(self._gpu)
        return _status("VmHWM") or _peak_of_process()


def _status(key: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


def _peak_of_process() -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
