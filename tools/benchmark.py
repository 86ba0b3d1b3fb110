"""Run a benchmark of bench/: our code, alone or compared with the installed MMSegmentation.

`all` runs every comparison, each in a process of its own, and prints one table.
"""

from __future__ import annotations

import argparse
import sys
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
    from bench.running import run_station

    run_station(args, stations)
    return 0


def _parse() -> tuple[argparse.Namespace, dict]:
    """Return the arguments, and the stations."""
    sys.path.insert(0, str(ROOT))  # bench/ is not installed
    from bench.running import find_stations

    stations = find_stations()
    lines = [f"  {name:10} {station.line}" for name, station in stations.items()]
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
    has = stations[args.station].functions if args.station in stations else ()
    if "table" in has and (args.repeat is not None or args.warm_up is not None):
        raise ValueError(f"--repeat and --warm-up have no effect on {args.station}, which measures by itself")
    if args.plot and "draw" not in has:
        drawn = [name for name, station in stations.items() if "draw" in station.functions]
        raise ValueError(f"--plot has no effect on {args.station}; it draws {', '.join(drawn)}")
    for name in ("json", "plot"):
        path = getattr(args, name)
        if path and not path.parent.is_dir():
            raise FileNotFoundError(f"no folder {path.parent} for --{name}")
    args.repeat = args.repeat or (3 if args.station == "all" else 7)
    args.warm_up = 1 if args.warm_up is None else args.warm_up
    return args, stations


if __name__ == "__main__":
    run_tool(main)
