"""CPUs, memory and disk that this process may use."""

from __future__ import annotations

import math
import os
import re
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_GIB = 1 << 30


def num_cpus() -> int:
    """Return the number of CPUs that this process may use, limited by the quota of a container, rounded up."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder in _cgroups("cpu"):
        words = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        if len(words) == 2 and all(word.isdigit() for word in words):  # no limit: max, or -1
            count = min(count, math.ceil(int(words[0]) / int(words[1])))
    return max(1, count)


def cpu_flags() -> set[str]:
    """Return the names of the CPU's features, as Linux lists them; an empty set elsewhere."""
    return set(_cpu_info("flags").split())


def cpu_vendor() -> str:
    """Return the name of the CPU's maker, as Linux gives it, such as `AuthenticAMD`; empty elsewhere."""
    return _cpu_info("vendor_id")


def _cpu_info(key: str) -> str:
    """Return the value of a line of /proc/cpuinfo; empty if there is none."""
    info = Path("/proc/cpuinfo")
    line = re.search(rf"^{key}\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.is_file() else None
    return line[1] if line else ""


def num_processes(launcher: str) -> int:
    """Return the number of processes of a run, from the environment variables of its launcher.

    Args:
        launcher: none, pytorch, slurm or mpi.
    """
    names = {"pytorch": "WORLD_SIZE", "slurm": "SLURM_NTASKS", "mpi": "OMPI_COMM_WORLD_SIZE"}
    return int(os.environ.get(names.get(launcher, ""), 1))


def num_local_processes(launcher: str) -> int:
    """Return the number of processes of a run on this machine; arguments as in `num_processes`."""
    names = {"pytorch": "LOCAL_WORLD_SIZE", "mpi": "OMPI_COMM_WORLD_LOCAL_SIZE"}
    if launcher == "slurm":
        return math.ceil(num_processes(launcher) / int(os.environ.get("SLURM_NNODES", 1)))
    return int(os.environ.get(names.get(launcher, ""), 1))


def available_memory_bytes() -> int:
    """Return how much more memory this process can allocate.

    This is the minimum of what the machine, the container (cgroup) and `ulimit -v` leave.
    """
    left = [_meminfo("MemAvailable")] if Path("/proc/meminfo").is_file() else []
    left += [free for folder in _cgroups("memory") if (free := cgroup_memory_left(folder)) is not None]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and Path("/proc/self/statm").is_file():
        left.append(limit - int(_words(Path("/proc/self/statm"))[0]) * resource.getpagesize())
    return max(0, min(left, default=sys.maxsize))


def cgroup_memory_left(folder: Path) -> int | None:
    """Return how many bytes are left below the limit of a control group; None without a limit.

    The kernel counts cached files as used, but frees those that were not used recently before memory runs out; they
    count as free here.
    """
    for limit, usage, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        words = [*_words(folder / limit), *_words(folder / usage)]
        if len(words) == 2 and all(word.isdigit() for word in words):
            statistics = _words(folder / "memory.stat")
            reclaimable = dict(zip(statistics[::2], statistics[1::2], strict=False)).get(cached, 0)
            return int(words[0]) - int(words[1]) + int(reclaimable)
    return None


def free_disk_bytes(folder: str | Path) -> int:
    """Return the free space of the disk that a folder is on, or will be on."""
    return shutil.disk_usage(nearest_existing(folder)).free


def nearest_existing(path: str | Path) -> Path:
    """Return the path, or its nearest parent that exists."""
    path = Path(path).absolute()
    return next(parent for parent in (path, *path.parents) if parent.exists())


def format_bytes(num_bytes: float) -> str:
    """Format a size such as `1.0 GiB` or `96 MiB`."""
    return f"{num_bytes / _GIB:.1f} GiB" if num_bytes >= _GIB else f"{num_bytes / _GIB * 1024:.0f} MiB"


def _cgroups(controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups of this process, from the innermost to the outermost."""
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            base = _CGROUPS / controller if controllers else _CGROUPS
            own = base / path.strip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(base) and folder.is_dir())


def _meminfo(key: str) -> int:
    return next(int(line.split()[1]) * 1024 for line in _lines(Path("/proc/meminfo")) if line.startswith(key))


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
