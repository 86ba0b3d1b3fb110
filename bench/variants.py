"""Train a config in several ways, with three seeds each, and print the mIoU of each way and the IoU of rare classes.

    python bench/variants.py                     the demo's config with every method against class imbalance
    python bench/variants.py --jobs 2            two at a time, one thread each
    python bench/variants.py --only plain stock  is the fast training as good as MMSegmentation's?
    python bench/variants.py --only plain focal --seeds 0 --cfg-options train_cfg.max_iters=20

Every run is tools/train.py with the flags below; its last weights are evaluated on val. Finished runs are not repeated:
after an interruption, the same command continues with the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPO = Path(__file__).parents[1]
CONFIG = "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py"
VARIANTS = {
    "plain": [],
    "stock": ["--performance", "stock"],
    "class weights": ["--class-weight", "auto"],
    "OHEM": ["--loss", "ohem"],
    "focal": ["--loss", "focal"],
    "Dice": ["--loss", "dice"],
    "Lovász": ["--loss", "lovasz"],
    "rare crops 0.5": ["--rare-crops", "0.5"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=CONFIG, help=f"default: {CONFIG}")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=[v for v in VARIANTS if v != "stock"],
                        metavar="VARIANT", help=f"some of: {', '.join(VARIANTS)} (default: all but stock)")  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel runs")
    parser.add_argument("--rarest", type=int, default=5, help="how many classes to show (default: 5)")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/variants"))
    parser.add_argument("--cfg-options", nargs="+", default=[], help="override config values of every run")
    args = parser.parse_args()

    sys.path.insert(0, str(REPO))
    rarest = rarest_classes(args.config, args.rarest)
    runs = [(variant, seed) for seed in args.seeds for variant in args.only]
    pool = ThreadPoolExecutor(args.jobs)
    curves: dict[str, list[list[dict]]] = {variant: [] for variant in args.only}
    try:
        futures = [pool.submit(train, variant, seed, args) for variant, seed in runs]
        for (variant, _), future in zip(runs, futures, strict=True):
            if future.result() is not None:
                curves[variant].append(future.result())
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, no further run is started
    print(
        f"\nRarest classes of train, by share of the labelled pixels: {', '.join(f'{n} {s:.2%}' for n, s in rarest)}.\n"
    )
    print(as_markdown({variant: [curve[-1] for curve in runs] for variant, runs in curves.items()},
                      [name for name, _ in rarest]))  # fmt: skip
    print(f"\nmIoU by iteration:\n\n{curves_as_markdown(curves)}")
    return 0 if all(len(runs) == len(args.seeds) for runs in curves.values()) else 1


def rarest_classes(config: str, count: int) -> list[tuple[str, float]]:
    """Return the classes with the fewest pixels in the training masks, and their shares."""
    from semseg.config import load_config
    from semseg.config.class_weights import count_config

    counts, metainfo = count_config(load_config(config), "train", os.cpu_count() or 1)
    order = [i for i in counts.shares.argsort() if counts.pixels[i]]
    return [(metainfo["classes"][i], float(counts.shares[i])) for i in order[:count]]


def train(variant: str, seed: int, args: argparse.Namespace) -> list[dict] | None:
    """Train once, unless the run is finished; return the scores of each validation, or None if it failed."""
    work_dir = args.work_dir / Path(args.config).stem / variant.replace(" ", "_") / f"seed_{seed}"
    command = [str(REPO / "tools/train.py"), args.config, *VARIANTS[variant], "--seed", str(seed)]
    command += ["--cfg-options", "custom_hooks.1.num_images=0", *args.cfg_options]
    result_path = work_dir / "scores.json"
    if result_path.is_file() and (result := json.loads(result_path.read_text()))["command"] == command:
        return result["scores"]
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} if args.jobs > 1 else None
    with (work_dir / "output.txt").open("w") as output:
        code = subprocess.run([sys.executable, *command, "--work-dir", str(work_dir)], env=environment,
                              stdout=output, stderr=subprocess.STDOUT).returncode  # fmt: skip
    if code:
        print(f"{variant}, seed {seed}: exit code {code}, see {work_dir}/output.txt", flush=True)
        return None
    (scalars,) = work_dir.glob("*/vis_data/scalars.json")
    rows = [json.loads(line) for line in scalars.read_text().splitlines()]
    scores = [row for row in rows if "mIoU" in row]
    times = [row["time"] for row in rows if "loss" in row]
    scores[-1]["time"] = statistics.median(times) if times else float("nan")  # too short a run logs none
    temporary_path = result_path.with_suffix(".tmp")
    temporary_path.write_text(json.dumps({"command": command, "scores": scores}, indent=1) + "\n")
    temporary_path.replace(result_path)
    for checkpoint in work_dir.glob("*.pth"):
        checkpoint.unlink()
    print(
        f"{variant}, seed {seed}: mIoU {scores[-1]['mIoU']:.2f}, {scores[-1]['time']:.2f} s per iteration", flush=True
    )
    return scores


def as_markdown(scores: dict[str, list[dict]], rarest: list[str]) -> str:
    """Return a Markdown table: mean and standard deviation over the seeds, and the difference to plain."""
    columns = {"mIoU": ["mIoU"], "mean of these": [f"IoU/{name}" for name in rarest]}
    columns |= {name: [f"IoU/{name}"] for name in rarest}
    lines = [f"| | {' | '.join(columns)} | s per iteration |", "|---" * (len(columns) + 2) + "|"]
    for variant, variant_rows in scores.items():
        cells = []
        for keys in columns.values():
            values, plain = (
                [statistics.mean(row[key] for key in keys) for row in rows]
                for rows in (variant_rows, scores.get("plain", []))
            )
            cells.append(cell(values, None if variant == "plain" else plain))
        times = [row["time"] for row in variant_rows]
        lines.append(
            f"| {variant} | {' | '.join(cells)} | {statistics.mean(times):.2f} |" if times else f"| {variant} |"
        )
    return "\n".join(lines)


def curves_as_markdown(curves: dict[str, list[list[dict]]]) -> str:
    """Return a Markdown table of the mIoU at each validation: mean and standard deviation over the seeds."""
    iterations = [row["step"] for row in next((run for runs in curves.values() for run in runs), [])]
    lines = [f"| | {' | '.join(map(str, iterations))} |", "|---" * (len(iterations) + 1) + "|"]
    for variant, runs in curves.items():
        cells = [cell([run[place]["mIoU"] for run in runs], None) for place in range(len(iterations))]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(values: list[float], plain: list[float] | None) -> str:
    if not values:
        return "failed"
    text = f"{statistics.mean(values):.1f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.1f}"
    return text + (f" ({statistics.mean(values) - statistics.mean(plain):+.1f})" if plain else "")


if __name__ == "__main__":
    raise SystemExit(main())
