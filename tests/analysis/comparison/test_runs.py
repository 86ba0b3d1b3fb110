import dataclasses
import json
import socket

from semseg.analysis.comparison.plan import Budget
from semseg.analysis.comparison.runs import read_record, run_comparison
from semseg.system.claims import take_claim
from tests.analysis.comparison.written import change_record, plan_of, write_run
from tests.conftest import raises


def test_runs_that_are_finished_or_elsewhere_are_left_alone(tmp_path):
    plan = plan_of(tmp_path, ["a", "b"], seeds=1)
    done, elsewhere = plan.runs()
    write_run(done, 0, 0.5)
    record = (done.folder / "comparison_run.json").read_bytes()
    lines = []
    with take_claim(elsewhere.folder.with_suffix(".claim")):
        outcome = run_comparison(plan, lines.append)
    assert lines == ["[1/2] a, seed 0: finished before"]
    assert outcome.failed == {}
    assert outcome.elsewhere == {"b, seed 0": socket.gethostname()}
    assert (done.folder / "comparison_run.json").read_bytes() == record
    assert not elsewhere.folder.exists()


def test_what_another_machine_had_is_looked_at_again_at_the_end(tmp_path):
    plan = plan_of(tmp_path, ["a", "b"], seeds=1)
    first, second = plan.runs()
    write_run(second, 0, 0.5)
    claim = take_claim(first.folder.with_suffix(".claim"))
    lines = []

    def say(line):
        lines.append(line)
        if "b, seed 0" in line:  # meanwhile, the other machine finishes its run
            write_run(first, 0, 0.5)
            claim.release()

    outcome = run_comparison(plan, say)
    assert lines == ["[2/2] b, seed 0: finished before", "[1/2] a, seed 0: finished before"]
    assert outcome.elsewhere == outcome.failed == {}
    assert json.loads((first.folder / "comparison_run.json").read_text())["state"] == "finished"


def test_what_another_machine_has_trained_meanwhile_is_checked(tmp_path):
    plan = plan_of(tmp_path, ["a", "b"], seeds=1)
    first, second = plan.runs()
    write_run(first, 0, 0.5)

    def say(line):
        write_run(second, 0, 0.5)
        change_record(second, budget="9 iterations")

    with raises("E-input-used", "b/seed_0 was trained with a different budget"):
        run_comparison(plan, say)


def test_an_error_that_nobody_expected_is_the_fault_of_one_run(tmp_path):
    plan = dataclasses.replace(plan_of(tmp_path, ["a", "b"], seeds=1), budget=Budget(1.0, None))
    first, second = plan.runs()
    first.model.folder.mkdir()
    (first.model.folder / "pace.json").write_text("{}")  # damaged
    write_run(second, 0, 0.5)
    change_record(second, budget=str(plan.budget))
    lines = []
    outcome = run_comparison(plan, lines.append)
    (fault,) = outcome.failed.values()
    assert lines == ["[1/2] a, seed 0: failed", "[2/2] b, seed 0: finished before"]
    assert fault == f"KeyError: 'digest' (see {first.folder / 'traceback.txt'})"
    assert "Traceback" in (first.folder / "traceback.txt").read_text()
    assert read_record(first.folder)["fault"] == fault
