"""Measure benchmarks: all sides take turns, and ratios are computed within each round."""

from __future__ import annotations

import os
import platform
import statistics
import time
from importlib import metadata
from pathlib import Path

from bench import Contender, Table

PACKAGES = ("torch", "onedl-mmsegmentation", "onedl-mmcv", "onedl-mmengine", "numpy", "pillow")


def measure(contenders: dict[str, Contender], num_rounds: int, num_warm_up: int) -> dict:
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
    for side, contender in contenders.items():
        if contender.floor:
            sides[side]["floor"] = contender.floor()._asdict()
    return sides


def summarize(sides: dict) -> dict:
    """Add medians and quartiles; ratios are computed within each round, so that drifts cancel."""
    result = {side: {"time_s": spread(runs["times_s"]), **runs} for side, runs in sides.items()}
    for side in [side for side in sides if side != "ours"]:
        pairs = zip(sides[side]["times_s"], sides["ours"]["times_s"], strict=True)
        result[f"{side} / ours"] = spread([other / ours for other, ours in pairs])
    return result


def spread(values: list[float]) -> dict:
    """Return the median and the quartiles."""
    # not numpy: a child's peak memory counts from the size of this process
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": median, "quartiles": [low, high]}


def print_case(case: str, result: dict) -> None:
    """Print one row per side: median, quartiles, rate, peak memory; then the ratios to ours, then the floors."""
    print(case)
    for side, entry in result.items():
        unit = " s" if "time_s" in entry else " x"
        times = entry.get("time_s", entry)
        low, high = times["quartiles"]
        peak = f"  {max(entry['peak_mib']):6.0f} MiB" if entry.get("peak_mib") else ""
        count, unit_of_work = entry.get("work") or (0, "")
        rate = f"  {count / times['median']:8.1f} {unit_of_work}/s" if count else ""
        print(f"  {side:17} {times['median']:8.3f}{unit}  ({low:.3f} to {high:.3f}){rate}{peak}", flush=True)
    for side, entry in result.items():
        if "floor" in entry:
            print(f"  {_floor(side, entry)}", flush=True)


def _floor(side: str, entry: dict) -> str:
    floor_s, time_s = entry["floor"]["time_s"], entry["time_s"]["median"]
    share = f"{100 * floor_s / time_s:.0f} % of the peak"
    return f"floor {floor_s:.3f} s, {side} {time_s:.3f} s: {share} ({entry['floor']['reason']})"


def summary_table(stations: dict[str, dict]) -> Table:
    """Return one row for each comparison: medians, peak memory, ratio with its quartiles, share of the floor.

    Args:
        stations: results of `summarize` by station and case.
    """
    rows: list[dict[str, str | float]] = []
    notes = []
    for station, cases in stations.items():
        for case, result in cases.items():
            ours, share = result["ours"], "-"
            if "floor" in ours:
                share = f"{100 * ours['floor']['time_s'] / ours['time_s']['median']:.0f} %"
                notes.append(f"{station}, {case}: {_floor('ours', ours)}")
            for side in [side for side in result if f"{side} / ours" in result] or [None]:
                row = {"station": station, "what is measured": case, "ours": _cell(ours), "of the peak": share}
                row |= {"other": "-", "other / ours": "-"}
                if side is not None:
                    ratio = result[f"{side} / ours"]
                    low, high = ratio["quartiles"]
                    row["other"] = f"{side} {_cell(result[side])}"
                    row["other / ours"] = f"{ratio['median']:.2f} ({low:.2f} to {high:.2f})"
                rows.append(row)
    return Table(rows, notes)


def _cell(entry: dict) -> str:
    low, high = entry["time_s"]["quartiles"]
    peak = f", {max(entry['peak_mib']):.0f} MiB" if entry["peak_mib"] else ""
    return f"{entry['time_s']['median']:.3g} s ({low:.3g} to {high:.3g}){peak}"


def format_table(table: Table) -> str:
    """Return a table as Markdown, and its notes."""
    keys = list(table.rows[0])
    lines = [f"| {' | '.join(keys)} |", "|---" * len(keys) + "|"]
    for row in table.rows:
        cells = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *table.notes])


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
