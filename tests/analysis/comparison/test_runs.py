import json
import socket

from semseg.analysis.comparison.runs import run_comparison
from semseg.system.claims import take_claim
from tests.analysis.comparison.written import plan_of, write_run


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
