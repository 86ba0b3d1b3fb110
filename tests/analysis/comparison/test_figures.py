"""Figures, tables and the page of runs whose results are random masks."""

import csv
import json

import numpy as np
import pytest

from semseg.analysis.comparison.figures import collect_figures
from semseg.analysis.comparison.plan import Budget, Model, Plan
from semseg.analysis.comparison.runs import SCHEMA, check_same_comparison
from semseg.analysis.comparison.tables import write_tables
from semseg.analysis.options import ComparisonOptions
from semseg.analysis.report.comparison_page import write_page
from semseg.config import load_config
from semseg.evaluation.results import read_results
from tests.conftest import CONFIG, raises
from tests.evaluation import random_results


def model_of(root, name):
    cfg = load_config(CONFIG)
    return Model(name, f"{name}.py", cfg, name, {"sha256": "data", "images": {"train": 8, "test": 6}}, root / name)


def plan_of(root, names, seeds=2):
    models = tuple(model_of(root, name) for name in names)
    return Plan(models, Budget(None, 4), ComparisonOptions(out_dir=root, iters=4, seeds=seeds))


def write_run(run, seed, quality, state="finished", num_images=6):
    results_dir = run.folder / "test/iter_4-random_val"
    facts = random_results.FACTS | {"data": {"name": "random", "num_images": num_images}}
    evaluation = random_results.evaluation(seed=seed, quality=quality, num_images=num_images)
    images = evaluation.confusions.images
    files = [{"path": f"photos/{name}", "mask": name} for name in images]
    random_results.write_results(results_dir, evaluation, facts, files, random_results.by_folder(images))
    log = run.folder / "20261129_000000/vis_data/scalars.json"
    log.parent.mkdir(parents=True)
    lines = [{"loss": 2.0 - step / 4, "time": 0.5, "memory": 100 + step, "step": step} for step in range(1, 5)]
    lines += [{"mIoU": 10.0 + seed, "time": 9.0, "step": 4}]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    latency = {"seconds": 0.1 + run.seed / 100, "repeats": 3, "size": [8, 10], "threads": 1, "precision": "fp32"}
    record = {"schema": SCHEMA, "digest": run.model.digest, "data": "data", "budget": "4 iterations", "seed": run.seed}
    record |= {"state": state, "max_iters": 4, "latency": latency}
    (run.folder / "iter_4.pth").touch()
    (run.folder / "comparison_run.json").write_text(json.dumps(record))


@pytest.fixture
def plan(tmp_path):
    """Two models with two seeds; `good` is better, and the last seed of `bad` has failed."""
    plan = plan_of(tmp_path / "comparison", ["bad", "good"])
    for number, run in enumerate(plan.runs()):
        is_bad = run.model.name == "bad"
        write_run(run, number, 0.3 if is_bad else 0.8, "failed" if is_bad and run.seed else "finished")
    return plan


def miou_of(run):
    return read_results(run.folder / "test/iter_4-random_val").summary["scores"]["mIoU"]


def test_scores_are_means_over_the_finished_seeds_and_the_best_is_first(plan):
    good, bad = collect_figures(plan)
    of_good = [run for run in plan.runs() if run.model.name == "good"]
    assert (good.model.name, good.seeds, bad.seeds) == ("good", (0, 1), (0,))
    values = [miou_of(run)["value"] for run in of_good]
    assert good.scores["mIoU"].seeds == pytest.approx(values)
    assert good.scores["mIoU"].value == pytest.approx(np.mean(values))
    assert good.scores["mIoU"].low < good.scores["mIoU"].value < good.scores["mIoU"].high
    assert good.behind is None
    assert bad.behind.value == pytest.approx(bad.scores["mIoU"].value - values[0])
    assert bad.behind.low < bad.behind.value < bad.behind.high < 0


def test_the_interval_of_one_seed_is_that_of_its_test(plan):
    _, bad = collect_figures(plan)
    tested = miou_of(next(plan.runs()))
    assert (bad.scores["mIoU"].low, bad.scores["mIoU"].high) == pytest.approx((tested["low"], tested["high"]))
    rows = read_results(next(plan.runs()).folder / "test/iter_4-random_val").summary["per_class"]
    assert [score.value for score in bad.classes] == pytest.approx([row["IoU"] for row in rows], nan_ok=True)


def test_time_and_memory_come_from_the_log_without_the_validations(plan):
    good, _ = collect_figures(plan)
    assert good.step_s == 0.5
    assert good.train_s == 2.0
    assert good.peak_bytes == 104 << 20
    assert good.latency["seconds"] == pytest.approx(0.11)
    own = load_config(CONFIG)
    assert 900_000 < good.num_parameters < 1_000_000
    assert own.model.auxiliary_head  # which is not counted


def test_tables_hold_the_figures(plan):
    figures = collect_figures(plan)
    csv_path, json_path = write_tables(plan, figures, {"bad, seed 1": "it failed"})
    with csv_path.open() as file:
        first, second = csv.DictReader(file)
    assert (first["model"], first["seeds"], second["model"]) == ("good", "2", "bad")
    assert float(first["mIoU"]) == pytest.approx(figures[0].scores["mIoU"].value, abs=0.01)
    assert first["behind_best"] == ""
    assert float(second["behind_best"]) < 0
    assert second["mIoU_std"] == ""
    assert {"IoU/road", "IoU/car", "IoU/train"} <= first.keys()
    content = json.loads(json_path.read_text())
    assert content["failed"] == {"bad, seed 1": "it failed"}
    assert [model["model"] for model in content["models"]] == ["good", "bad"]
    assert len(content["models"][0]["scores"]["mIoU"]["seeds"]) == 2


def test_the_page_shows_models_failures_and_what_other_machines_do(plan):
    figures = collect_figures(plan)
    text = write_page(plan, figures, {"bad, seed 1": "it <failed>"}, {"good, seed 7": "node3"}).read_text()
    body = text[text.index("<main>") : text.index("</main>")]
    for words in ("it &lt;failed&gt;", "good, seed 7, on node3", "the file is missing", "4 iterations", "0.96 M"):
        assert words in body
    table = body[body.index("<tbody>") :]
    assert table.index("good") < table.index("bad")


def test_results_of_different_images_are_refused(tmp_path):
    plan = plan_of(tmp_path, ["a", "b"], seeds=1)
    for run, num_images in zip(plan.runs(), (6, 5), strict=True):
        write_run(run, 0, 0.5, num_images=num_images)
    with raises("E-input-incomparable", "different images"):
        collect_figures(plan)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("budget", "9 iterations", "budget (9 iterations, now 4 iterations)"),
        ("digest", "x", "config"),
        ("data", "x", "data"),
    ],
)
def test_runs_of_another_comparison_are_refused(plan, key, value, words):
    path = next(plan.runs()).folder / "comparison_run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with raises("E-input-used") as caught:
        check_same_comparison(plan)
    assert f"was trained with another {words}" in str(caught.value)
    (path.parent / "iter_4.pth").unlink()
    check_same_comparison(plan)  # a run that failed at its start can be repeated with a corrected config
