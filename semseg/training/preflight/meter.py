"""Measure the time and the peak memory of a step."""

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

_NO_MEMORY = ("can't allocate memory", "ALLOC_FAILED")  # in the messages of PyTorch on a CPU, and of GPU libraries


class Cost(NamedTuple):
    """The cost of a step.

    Attributes:
        seconds: its duration.
        num_bytes: peak memory; on a GPU of everything that is allocated, on a CPU in addition to the memory in use
            when the meter was created.
    """

    seconds: float
    num_bytes: int


class OutOfMemory(Exception):
    """A step did not get the memory that it asked for."""


class Meter:
    """Measure steps of a model.

    On a GPU the memory is what PyTorch has allocated. On a CPU it is the growth of the whole process (its resident
    set), because the process also holds much that does not belong to the step.

    Args:
        device: of the model.

    Attributes:
        fixed_bytes: the part of a step's `num_bytes` that was allocated before it: the weights on a GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._gpu = device if device.type == "cuda" else None
        self._base = 0 if self._gpu is not None else self._used()
        self.fixed_bytes = self._used() - self._base

    @property
    def is_cpu(self) -> bool:
        """Whether a step that is too large kills the process, instead of raising an error."""
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
        """Return the largest `Cost.num_bytes` that a step can have."""
        if self._gpu is None:
            return self._used() - self._base + available_memory_bytes()
        return torch.cuda.mem_get_info(self._gpu)[0] + torch.cuda.memory_reserved(self._gpu)

    def _used(self) -> int:
        if self._gpu is not None:
            return torch.cuda.memory_allocated(self._gpu)
        with contextlib.suppress(OSError, AttributeError):  # returns freed memory to the system; only glibc has it
            ctypes.CDLL(None).malloc_trim(0)
        return _status("VmRSS") or _peak_of_process()

    def _reset_peak(self) -> None:
        if self._gpu is not None:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._gpu)
            return
        self._used()
        with contextlib.suppress(OSError):  # not allowed everywhere: then only a higher peak than before is noticed
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
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, others KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
