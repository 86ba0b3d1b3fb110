"""Figures, tables and the page of runs whose results are random masks."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from semseg.analysis.comparison.figures import collect_figures, describe_uneven
from semseg.analysis.comparison.plan import Budget
from semseg.analysis.comparison.runs import check_same_comparison, run_comparison
from semseg.analysis.comparison.tables import write_tables
from semseg.analysis.report.comparison_page import write_page
from semseg.config import load_config
from semseg.evaluation.results import read_results
from tests.analysis.comparison.written import change_record, plan_of, write_run, write_test
from tests.conftest import CONFIG, raises


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


def test_the_results_are_those_of_the_test_that_the_comparison_made(plan):
    before = [one.scores["mIoU"] for one in collect_figures(plan)]
    run = list(plan.runs())[1]
    for name in ("iter_2-random_val", "iter_4-random_val-tta"):  # tests that were made afterwards
        write_test(run.folder / "test" / name, seed=0, quality=0.1)
    good, bad = collect_figures(plan)
    assert [good.scores["mIoU"], bad.scores["mIoU"]] == before
    assert good.results[0].folder.name == "iter_4-random_val"
    write_test(run.folder / "test/iter_4-random_val", seed=0, quality=0.1)
    with raises("E-input-results", "good/seed_0/test/iter_4-random_val: .*not those of the comparison any more"):
        collect_figures(plan)


def test_runs_on_different_machines_are_a_warning_and_the_page_names_them(plan):
    figures = collect_figures(plan)
    assert describe_uneven(plan, figures) == []
    text = write_page(plan, figures, {}, {}).read_text()
    assert text.count("a CPU, 1 thread, fp32") == 1
    first = next(plan.runs())
    latency = {"seconds": 0.1, "repeats": 3, "size": [8, 10], "threads": 1, "precision": "fp32"}
    for change, machine in (
        ({"hardware": {"cpu": "Xeon <1>", "gpus": []}}, "Xeon <1>, 1 thread, fp32"),
        ({"hardware": {"cpu": "a CPU", "gpus": [{"name": "H1"}]}}, r"a CPU, 1 thread, fp32 (GPU: H1)"),
        ({"latency": {**latency, "threads": 4, "precision": "bf16"}}, "a CPU, 4 threads, bf16"),
    ):
        change_record(first, **{"hardware": {"cpu": "a CPU", "gpus": []}, "latency": latency, **change})
        figures = collect_figures(plan)
        (sentence,) = describe_uneven(plan, figures)
        assert "good seed 0, good seed 1 on a CPU, 1 thread, fp32" in sentence
        assert f"bad seed 0 on {machine}" in sentence
        assert [one.latency_machine for one in figures] == ["a CPU, 1 thread, fp32", machine]
        with write_tables(plan, figures, {})[0].open() as file:
            assert [row["cpu_latency_on"] for row in csv.DictReader(file)][1] == machine
        rows = write_page(plan, figures, {}, {}).read_text()
        rows = rows[rows.index("<tbody>") : rows.index("</tbody>")]
        assert f"{machine.replace('<', '&lt;').replace('>', '&gt;')}</span>" in rows


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


def test_a_training_that_took_another_time_than_its_budget_is_a_warning(plan):
    figures = collect_figures(plan)
    assert describe_uneven(plan, figures) == []
    exact, short = (dataclasses.replace(plan, budget=Budget(minutes, None)) for minutes in (2 / 60, 1.0))
    assert describe_uneven(exact, figures) == []
    sentence = "good was trained for 0.033 minutes instead of 1"
    assert describe_uneven(short, figures)[0].startswith(sentence)
    assert sentence in write_page(short, figures, {}, {}).read_text()


def test_results_of_different_images_are_refused(tmp_path):
    plan = plan_of(tmp_path, ["a", "b"], seeds=1)
    for run, num_images in zip(plan.runs(), (6, 5), strict=True):
        write_run(run, 0, 0.5, num_images=num_images)
    with raises("E-input-incomparable", "different images"):
        collect_figures(plan)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("budget", "9 iterations", "a different budget (9 iterations, now 4 iterations): use the same budget"),
        ("digest", "x", "a different config: use the same config"),
        ("data", "x", "different data: use the same data"),
    ],
)
def test_runs_of_another_comparison_are_refused(plan, key, value, words):
    run = next(plan.runs())
    change_record(run, **{key: value})
    for is_there in (True, False):  # a finished run counts without its checkpoint too
        for check in (check_same_comparison, lambda plan: run_comparison(plan, print)):
            with raises("E-input-used") as caught:
                check(plan)
            assert f"was trained with {words}, or another `out_dir`" in str(caught.value)
        if is_there:
            (run.folder / "iter_4.pth").unlink()
    change_record(run, state="failed")
    check_same_comparison(plan)  # a run that failed at its start can be repeated with a corrected config
