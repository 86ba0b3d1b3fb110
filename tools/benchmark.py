"""Measure a station of bench/: our code, alone or side by side with the installed MMSegmentation's."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag, run_tool

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    stations = {
        path.stem: ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
        for path in sorted((ROOT / "bench").glob("[a-z]*.py"))
        if re.search(r"^def (cases|table)\(", path.read_text(), re.MULTILINE)  # the others are experiments
    }
    parser = ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="stations:\n" + "\n".join(f"  {name:10} {line}" for name, line in stations.items()),
    )
    parser.add_argument("station", help="what to measure, see below")
    parser.add_argument("--against", choices=["stock"], help="run in turns with MMSegmentation's own code")
    parser.add_argument("--repeat", type=int, default=7, help="rounds that count (default: 7)")
    parser.add_argument("--warm-up", type=int, default=1, help="rounds before, which do not count (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times and the summary here")
    add_debug_flag(parser)
    args = parser.parse_args()
    if args.station not in stations:
        raise ValueError(f"no station {args.station!r}; bench/ holds {', '.join(stations)}")
    if args.repeat < 1:
        raise ValueError(f"--repeat is {args.repeat}; expected 1 or more")
    if args.warm_up < 0:
        raise ValueError(f"--warm-up is {args.warm_up}; expected 0 or more")
    if args.json and not args.json.parent.is_dir():
        raise FileNotFoundError(f"no folder {args.json.parent} for --json")

    sys.path.insert(0, str(ROOT))  # bench/ is not installed
    from bench.measuring import describe_machine, measure, print_case, summarize

    station = importlib.import_module(f"bench.{args.station}")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        if hasattr(station, "table"):
            print("\n".join(station.table(Path(folder))))
            print(", ".join(f"{name} {value}" for name, value in describe_machine().items()))
            return 0
        for case, contenders in station.cases(args.against == "stock", Path(folder)).items():
            results[case] = summarize(measure(contenders, args.repeat, args.warm_up))
            print_case(case, results[case])
    machine = describe_machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    if args.json:
        report = {"station": args.station, "machine": machine, "cases": results}
        temporary_path = args.json.with_name(f".{args.json.name}.{os.getpid()}.tmp")
        temporary_path.write_text(json.dumps(report, indent=2) + "\n")
        temporary_path.replace(args.json)
    return 0


if __name__ == "__main__":
    run_tool(main)
