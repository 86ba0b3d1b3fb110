"""Measure benchmarks: all sides take turns, and ratios are computed within each round."""

from __future__ import annotations

import os
import platform
import statistics
import time
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "onedl-mmsegmentation", "onedl-mmcv", "onedl-mmengine", "numpy", "pillow")


def measure(contenders: dict, num_rounds: int, num_warm_up: int) -> dict:
    """Run all contenders in turns; the first `num_warm_up` rounds are not counted."""
    sides = {side: {"times_s": [], "peak_mib": [], "work": contender.work} for side, contender in contenders.items()}
    for round_index in range(num_warm_up + num_rounds):
        for side, contender in contenders.items():
            contender.prepare()
            start_s = time.perf_counter()
            peak_mib = contender.run()
            time_s = time.perf_counter() - start_s
            if round_index >= num_warm_up:
                sides[side]["times_s"].append(time_s)
                if peak_mib is not None:
                    sides[side]["peak_mib"].append(peak_mib)
    return sides


def summarize(sides: dict) -> dict:
    """Add medians and quartiles; ratios are computed within each round, so that drifts cancel."""

    def spread(values: list[float]) -> dict:
        # not numpy: a child's peak memory counts from the size of this process
        low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return {"median": median, "quartiles": [low, high]}

    result = {side: {"time_s": spread(runs["times_s"]), **runs} for side, runs in sides.items()}
    for side in [side for side in sides if side != "ours"]:
        pairs = zip(sides[side]["times_s"], sides["ours"]["times_s"], strict=True)
        result[f"{side} / ours"] = spread([other / ours for other, ours in pairs])
    return result


def print_case(case: str, result: dict) -> None:
    """Print one row per side: median, quartiles, rate, peak memory; then the ratio of the two."""
    print(case)
    for side, entry in result.items():
        unit = " s" if "time_s" in entry else " x"
        times = entry.get("time_s", entry)
        low, high = times["quartiles"]
        peak = f"  {max(entry['peak_mib']):6.0f} MiB" if entry.get("peak_mib") else ""
        count, unit_of_work = entry.get("work") or (0, "")
        rate = f"  {count / times['median']:8.1f} {unit_of_work}/s" if count else ""
        print(f"  {side:17} {times['median']:8.3f}{unit}  ({low:.3f} to {high:.3f}){rate}{peak}", flush=True)


def describe_machine() -> dict[str, str]:
    """Return the hardware and the package versions that the times depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = {
        "CPU": models[0] if models else platform.processor() or platform.machine(),
        "cores": f"{os.cpu_count()} ({usable} usable)",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            machine[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            machine[package] = "not installed"
    return machine
