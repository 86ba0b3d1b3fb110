"""Run a benchmark of bench/: our code, alone or compared with the installed MMSegmentation.

`all` runs every comparison, each in a process of its own, and prints one table.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag, run_tool

ROOT = Path(__file__).resolve().parents[1]
_VARIABLES = """environment variables:
  BENCH_CONFIG  config file of the model (default: the demo's)
  BENCH_SIZE    width and height of the pictures of val and infer (default: 512x256)
  BENCH_PHOTOS  folder of photographs to use instead of those that are made
  BENCH_DEVICE  cuda or cpu (default: the GPU if there is one); see also bench/gpu.sh
"""


def main() -> int:
    args, stations = _parse()
    sys.path.insert(0, str(ROOT))  # bench/ is not installed
    from bench.measuring import describe_machine

    with tempfile.TemporaryDirectory() as folder:
        if args.station == "all":
            comparisons = [name for name, has in stations.items() if has["cases"]]
            results = _run_all(comparisons, args, Path(folder))
        else:
            station = importlib.import_module(f"bench.{args.station}")
            run = _compare if stations[args.station]["cases"] else _tabulate
            results = run(station, args, Path(folder))
    machine = describe_machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    if args.json:
        report = {"station": args.station, "machine": machine, **results}
        _write(args.json, (json.dumps(report, indent=2) + "\n").encode())
    return 0


def _parse() -> tuple[argparse.Namespace, dict[str, dict]]:
    """Return the arguments, and what there is: for each station its first line and its functions."""
    stations = {}
    for path in sorted((ROOT / "bench").glob("[a-z]*.py")):
        text = path.read_text()
        has = {name: f"\ndef {name}(" in text for name in ("cases", "table", "draw")}
        if has["cases"] or has["table"]:  # the other modules are experiments
            stations[path.stem] = {"line": ast.get_docstring(ast.parse(text)).splitlines()[0], **has}
    lines = [f"  {name:10} {station['line']}" for name, station in stations.items()]
    parser = ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(["benchmarks:", *lines, "  all        all comparisons", "", _VARIABLES]),
    )
    parser.add_argument("station", help="benchmark to run, see below")
    parser.add_argument("--against", choices=["stock"], help="also run the code of MMSegmentation, in turns")
    parser.add_argument("--repeat", type=int, help="number of measured rounds (default: 7; with all: 3)")
    parser.add_argument("--warm-up", type=int, help="number of rounds before, which are not measured (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times and the summary to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the measurements of growth, as PNG or JPEG")
    add_debug_flag(parser)
    args = parser.parse_args()
    if args.station != "all" and args.station not in stations:
        raise ValueError(f"no benchmark {args.station!r}; bench/ contains {', '.join(stations)}, and there is all")
    if args.repeat is not None and args.repeat < 1:
        raise ValueError(f"--repeat is {args.repeat}; expected 1 or more")
    if args.warm_up is not None and args.warm_up < 0:
        raise ValueError(f"--warm-up is {args.warm_up}; expected 0 or more")
    has = stations.get(args.station, {"table": False, "draw": False})
    if has["table"] and (args.repeat is not None or args.warm_up is not None):
        raise ValueError(f"--repeat and --warm-up have no effect on {args.station}, which measures by itself")
    if args.plot and not has["draw"]:
        drawn = [name for name, station in stations.items() if station["draw"]]
        raise ValueError(f"--plot has no effect on {args.station}; it draws {', '.join(drawn)}")
    for name in ("json", "plot"):
        path = getattr(args, name)
        if path and not path.parent.is_dir():
            raise FileNotFoundError(f"no folder {path.parent} for --{name}")
    args.repeat = args.repeat or (3 if args.station == "all" else 7)
    args.warm_up = 1 if args.warm_up is None else args.warm_up
    return args, stations


def _compare(station, args: argparse.Namespace, folder: Path) -> dict:
    from bench.measuring import measure, print_case, summarize

    results = {}
    for case, contenders in station.cases(args.against == "stock", folder).items():
        results[case] = summarize(measure(contenders, args.repeat, args.warm_up))
        print_case(case, results[case])
    return {"cases": results}


def _tabulate(station, args: argparse.Namespace, folder: Path) -> dict:
    from bench.measuring import format_table

    table = station.table(args.against == "stock", folder)
    print(format_table(table))
    if args.plot:
        import cv2

        _, encoded = cv2.imencode(args.plot.suffix, station.draw(table)[..., ::-1])
        _write(args.plot, encoded.tobytes())
    return table._asdict()


def _run_all(names: list[str], args: argparse.Namespace, folder: Path) -> dict:
    from bench.measuring import format_table, summary_table

    options = ["--repeat", str(args.repeat), "--warm-up", str(args.warm_up)]
    if args.against:
        options += ["--against", args.against]
    results = {}
    for name in names:
        report_path = folder / f"{name}.json"
        command = [sys.executable, __file__, name, *options, "--json", report_path]
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


if __name__ == "__main__":
    run_tool(main)
