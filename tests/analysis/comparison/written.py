"""Comparisons as the program leaves them, with random masks as results."""

import json

from semseg.analysis.comparison.plan import Budget, Model, Plan
from semseg.analysis.comparison.runs import SCHEMA, describe_results
from semseg.analysis.options import ComparisonOptions
from semseg.config import load_config
from tests.conftest import CONFIG
from tests.evaluation import random_results


def model_of(root, name):
    cfg = load_config(CONFIG)
    return Model(name, f"{name}.py", cfg, name, {"sha256": "data", "images": {"train": 8, "test": 6}}, root / name)


def plan_of(root, names, seeds=2):
    models = tuple(model_of(root, name) for name in names)
    return Plan(models, Budget(None, 4), ComparisonOptions(out_dir=root, iters=4, seeds=seeds))


def write_test(results_dir, seed, quality, num_images=6):
    """Write the results of a test, whose truth is the same for all seeds."""
    facts = random_results.FACTS | {"data": {"name": "random", "num_images": num_images}}
    evaluation = random_results.evaluation(seed=seed, quality=quality, num_images=num_images)
    images = evaluation.confusions.images
    files = [{"path": f"photos/{name}", "mask": name} for name in images]
    random_results.write_results(results_dir, evaluation, facts, files, random_results.by_folder(images))
    return results_dir


def change_record(run, **values):
    path = run.folder / "comparison_run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def write_run(run, seed, quality, state="finished", num_images=6):
    results_dir = write_test(run.folder / "test/iter_4-random_val", seed, quality, num_images)
    log = run.folder / "20261129_000000/vis_data/scalars.json"
    log.parent.mkdir(parents=True)
    lines = [{"loss": 2.0 - step / 4, "time": 0.5, "memory": 100 + step, "step": step} for step in range(1, 5)]
    lines += [{"mIoU": 10.0 + seed, "time": 9.0, "step": 4}]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    latency = {"seconds": 0.1 + run.seed / 100, "repeats": 3, "size": [8, 10], "threads": 1, "precision": "fp32"}
    record = {"schema": SCHEMA, "digest": run.model.digest, "data": "data", "budget": "4 iterations", "seed": run.seed}
    record |= {"state": state, "max_iters": 4, "latency": latency, "results": describe_results(run, results_dir)}
    record |= {"is_trained": True, "hardware": {"cpu": "a CPU", "gpus": []}}
    (run.folder / "iter_4.pth").touch()
    (run.folder / "comparison_run.json").write_text(json.dumps(record))
