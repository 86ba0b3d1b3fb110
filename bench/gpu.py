"""What only a GPU shows, for bench/gpu.sh: training with one setting after the other, the loader, validation, infer.

    python -m bench.gpu [FILE [SETTING ...]]

FILE gets the measurements, as JSON. SETTINGs are those that the training is measured with; by default, it is all.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench import CONFIG, Table, growth, infer, val
from bench.measuring import describe_machine, format_table, measure, print_case, summarize
from bench.processes import ENVIRONMENTS, Server, run_module

_LADDER = ["tf32", "cudnn_benchmark", "bf16", "channels_last", "fused", "compile"]
SETTINGS = {"stock fp32": ["stock"], "stock AMP": ["stock", "fp16"], "ours: fp32": ["plain"]} | {
    f"ours: + {word}": _LADDER[: number + 1] for number, word in enumerate(_LADDER)
}
"""Words of `bench.steps`; each setting of ours has those of the one before, and one more."""
NUM_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "10"))
LIMIT_S = float(os.environ.get("BENCH_LIMIT_S", "540"))  # what has not begun by then is left out
NUM_WORKERS = 4


def main(report_path: Path | None, names: list[str]) -> None:
    """Measure, print, and write the report after each part."""
    unknown = [name for name in names if name not in SETTINGS]
    if unknown:
        raise SystemExit(f"error: no setting {unknown[0]!r}; expected some of {', '.join(SETTINGS)}")
    deadline_s = time.monotonic() + LIMIT_S
    report = {"config": CONFIG.name, "machine": describe_machine() | _describe_device()}
    print(", ".join(f"{name} {value}" for name, value in report["machine"].items()), flush=True)
    rows = []
    for name in names or SETTINGS:
        if time.monotonic() < deadline_s - LIMIT_S / 3:  # the rest is for the parts after it
            rows.append(_train(name, SETTINGS[name]))
            print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        loader = _load(Path(folder), rows)
        print(format_table(Table(rows, [loader])), flush=True)
        report |= {"training": rows, "loader": loader}
        _write(report, report_path)
        for station, num_rounds in ((val, 5), (infer, 1)):
            if time.monotonic() > deadline_s:
                print(f"{station.__name__}: no time left")
                continue
            part = Path(folder, station.__name__)
            part.mkdir()
            case, contenders = next(iter(station.cases(stock=True, folder=part).items()))
            report[station.__name__] = summarize(measure(contenders, min(num_rounds, NUM_ROUNDS), 0))
            print_case(case, report[station.__name__])
            _write(report, report_path)


def _write(report: dict, path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(report, indent=2) + "\n")


def _train(name: str, words: list[str]) -> dict[str, str | float]:
    """Measure steps with these settings; a failure becomes a row, too: without a compiler, `compile` cannot work."""
    row: dict[str, str | float] = {"training": name, "images/s": "-", "s a step": "-", "of the peak": "-", "MiB": "-"}
    try:
        server = Server(ENVIRONMENTS["ours"], "bench.steps", *words)
        peak_mib = server.run()
        times_s = []
        for _ in range(NUM_ROUNDS):
            start_s = time.perf_counter()
            peak_mib = server.run()
            times_s.append(time.perf_counter() - start_s)
        floor = server.floor()
        facts = server.facts()
        server.close()
    except RuntimeError as error:
        return row | {"remark": str(error)}
    run_s = statistics.median(times_s)
    low, _, high = statistics.quantiles(times_s, n=4, method="inclusive") if NUM_ROUNDS > 1 else times_s * 3
    return row | {
        "images/s": facts["images"] / run_s,
        "s a step": run_s / facts["steps"],
        "of the peak": f"{100 * floor.time_s / run_s:.0f} %",
        "MiB": peak_mib,
        "remark": f"quartiles {facts['images'] / high:.3g} to {facts['images'] / low:.3g} images/s; {floor.reason}",
    }


def _load(folder: Path, rows: list[dict]) -> str:
    """Measure the loader of the model zoo's pipeline, and return a sentence that compares it with the training."""
    run_module("bench.growth", "prepare", folder, 0)
    measured = run_module("bench.growth", growth.WORKERS, folder, NUM_WORKERS, "ours")
    rate = growth.NUM_SAMPLES / measured["s"]
    best = max((row["images/s"] for row in rows if row["images/s"] != "-"), default=0.0)
    needed = -(-best // (rate / NUM_WORKERS))
    bound = "the loader" if rate < best else "the network"
    return (
        f"loader of the model zoo's pipeline, {NUM_WORKERS} workers: {rate:.3g} images/s, the fastest training"
        f" {best:.3g}: bound by {bound}; {needed:.0f} workers would be enough on as many CPUs ({os.cpu_count()} here)"
    )


def _describe_device() -> dict[str, str]:
    """Return the name and the memory of the GPU; CPU, if that is measured. PyTorch starts in another process."""
    return run_module("bench.floor")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None, sys.argv[2:])
