"""Run a benchmark of bench/: our code, alone or compared with the installed MMSegmentation."""

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
        if re.search(r"^def (cases|table)\(", path.read_text(), re.MULTILINE)  # the other modules are experiments
    }
    parser = ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benchmarks:\n" + "\n".join(f"  {name:10} {line}" for name, line in stations.items()),
    )
    parser.add_argument("station", help="benchmark to run, see below")
    parser.add_argument("--against", choices=["stock"], help="also run the code of MMSegmentation, in turns")
    parser.add_argument("--repeat", type=int, default=7, help="number of measured rounds (default: 7)")
    parser.add_argument(
        "--warm-up", type=int, default=1, help="number of rounds before, which are not measured (default: 1)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times and the summary to FILE")
    add_debug_flag(parser)
    args = parser.parse_args()
    if args.station not in stations:
        raise ValueError(f"no benchmark {args.station!r}; bench/ contains {', '.join(stations)}")
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
