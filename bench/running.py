"""Find the benchmarks of this folder and run them, for tools/benchmark.py."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from bench import ROOT
from bench.measuring import describe_machine, format_table, measure, print_case, summarize, summary_table


class Station(NamedTuple):
    """A benchmark.

    Attributes:
        line: the first line of its docstring.
        functions: those that it has, of `cases`, `table` and `draw`.
    """

    line: str
    functions: tuple[str, ...]


def find_stations() -> dict[str, Station]:
    """Return the benchmarks by name, without importing them."""
    stations = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        text = path.read_text()
        functions = tuple(name for name in ("cases", "table", "draw") if f"\ndef {name}(" in text)
        if {"cases", "table"} & {*functions}:  # the other modules are experiments
            stations[path.stem] = Station((ast.get_docstring(ast.parse(text)) or "").splitlines()[0], functions)
    return stations


def run_station(args: argparse.Namespace, stations: Mapping[str, Station]) -> None:
    """Run one benchmark or all, print what was measured, and write it to the files of the options."""
    with tempfile.TemporaryDirectory() as folder:
        if args.station == "all":
            comparisons = [name for name, station in stations.items() if "cases" in station.functions]
            results = _run_all(comparisons, args, Path(folder))
        else:
            run = _compare if "cases" in stations[args.station].functions else _tabulate
            results = run(importlib.import_module(f"bench.{args.station}"), args, Path(folder))
    machine = describe_machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    if args.json:
        report = {"station": args.station, "machine": machine, **results}
        _write(args.json, (json.dumps(report, indent=2) + "\n").encode())


def _compare(station: ModuleType, args: argparse.Namespace, folder: Path) -> dict:
    results = {}
    for case, contenders in station.cases(args.against == "stock", folder).items():
        results[case] = summarize(measure(contenders, args.repeat, args.warm_up))
        print_case(case, results[case])
    return {"cases": results}


def _tabulate(station: ModuleType, args: argparse.Namespace, folder: Path) -> dict:
    table = station.table(args.against == "stock", folder)
    print(format_table(table))
    if args.plot:
        import cv2

        _, encoded = cv2.imencode(args.plot.suffix, station.draw(table)[..., ::-1])
        _write(args.plot, encoded.tobytes())
    return table._asdict()


def _run_all(names: list[str], args: argparse.Namespace, folder: Path) -> dict:
    options = ["--repeat", str(args.repeat), "--warm-up", str(args.warm_up)]
    if args.against:
        options += ["--against", args.against]
    results = {}
    for name in names:
        report_path = folder / f"{name}.json"
        command = [sys.executable, ROOT / "tools/benchmark.py", name, *options, "--json", report_path]
        print(f"{name} ...", flush=True)
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            raise RuntimeError(f"the benchmark {name} failed: python tools/benchmark.py {name} {' '.join(options)}")
        results[name] = json.loads(report_path.read_text())["cases"]
    print(format_table(summary_table(results)))
    return {"stations": results}


def _write(path: Path, content: bytes) -> None:
    temporary_path = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary_path.write_bytes(content)
    temporary_path.replace(path)
