"""tools/model.py compare, run as a person runs it."""

import csv
import json
import signal
import subprocess
import sys
import time

import pytest

from tests.config.plugins import LOSS
from tests.conftest import CONFIG, REPO, run

pytestmark = pytest.mark.slow

SMALL = [
    "--cfg-options", "train_dataloader.batch_size=2", "train_dataloader.num_workers=0",
    "train_dataloader.persistent_workers=False", "val_dataloader.num_workers=0",
    "val_dataloader.persistent_workers=False", "test_dataloader.num_workers=0",
    "test_dataloader.persistent_workers=False", "model.data_preprocessor.size=(64,128)",
    "train_dataloader.dataset.pipeline.3.crop_size=(64,128)",
]  # fmt: skip
PLUGIN = ["--plugin", "own_loss.py"]


@pytest.fixture(scope="module")
def compared(town):
    """The process of a comparison of two configs, of which one fails, in `town/compared`."""
    loss = "model = dict(decode_head=dict(loss_decode=dict(_delete_=True, type='OwnLoss')))\n"
    (town / "own_loss.py").write_text(LOSS)
    (town / "slow_learner.py").write_text(
        f"_base_ = {str(CONFIG)!r}\noptim_wrapper = dict(optimizer=dict(lr=1e-5))\n{loss}"
    )
    (town / "broken.py").write_text(f"_base_ = {str(CONFIG)!r}\nmodel = dict(decode_head=dict(in_channels=7))\n")
    return run(town, "model.py", "compare", "slow_learner.py", "broken.py", "--iters", 4, "--seeds", 1,
               "--out", "compared", *PLUGIN, *SMALL, code=1)  # fmt: skip


def test_a_failing_config_is_reported_and_the_others_are_compared(town, compared):
    assert "[1/2] slow_learner, seed 0: mIoU" in compared.stdout
    last = compared.stdout.splitlines()[-1]
    assert last.startswith("failed: broken, seed 0: train ended with exit code 2: model.decode_head")
    assert last.endswith("[E-config-part] (see compared/broken/seed_0/train_output.txt)")
    with (town / "compared/comparison.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["model"], row["seeds"], row["iterations"]) == ("slow_learner", "1", "4")
    assert float(row["cpu_latency_ms"]) > 0
    assert int(row["peak_memory_mib"]) > 100
    page = (town / "compared/comparison.html").read_text()
    assert 'id="failed"' in page
    assert page.count("data:image/webp") == 3 * 3  # photograph, truth and prediction of all images of val
    assert json.loads((town / "compared/comparison.json").read_text())["models"][0]["config"] == "slow_learner.py"


def test_what_is_trained_is_kept_and_what_failed_or_was_replaced_is_repeated(town, compared):
    checkpoint = town / "compared/slow_learner/seed_0/iter_4.pth"
    before = checkpoint.stat().st_mtime_ns
    (results,) = checkpoint.parent.glob("test/*/results.json")
    results.write_text("{}")  # by another test
    (town / "broken.py").write_text(f"_base_ = {str(CONFIG)!r}\nmodel = dict(decode_head=dict(channels=32))\n")
    done = run(town, "model.py", "compare", "slow_learner.py", "broken.py", "--iters", 4, "--seeds", 1,
               "--out", "compared", *PLUGIN, *SMALL)  # fmt: skip
    assert "[1/2] slow_learner, seed 0: its results were removed, or replaced by another test" in done.stdout
    assert "[1/2] slow_learner, seed 0: training" not in done.stdout
    assert "[2/2] broken, seed 0: training 4 iterations" in done.stdout
    assert checkpoint.stat().st_mtime_ns == before
    with (town / "compared/comparison.csv").open() as file:
        assert {row["model"] for row in csv.DictReader(file)} == {"slow_learner", "broken"}
    done = run(town, "model.py", "compare", "slow_learner.py", "--iters", 5, "--seeds", 1, "--out", "compared",
               *PLUGIN, *SMALL, code=2)  # fmt: skip
    assert "slow_learner/seed_0 was trained with a different budget (4 iterations, now 5 iterations)" in done.stderr
    (town / "own_loss.py").write_text(f"{LOSS}# changed\n")
    done = run(town, "model.py", "compare", "slow_learner.py", "--iters", 4, "--seeds", 1, "--out", "compared",
               *PLUGIN, *SMALL, code=2)  # fmt: skip
    assert "slow_learner/seed_0 was trained with a different config: use the same config" in done.stderr


def test_a_killed_comparison_by_minutes_goes_on_where_it_was(town):
    words = ["compare", str(CONFIG), "--minutes", "0.1", "--seeds", "1", "--out", "killed", "--pictures", "0", *SMALL]
    process = subprocess.Popen([sys.executable, REPO / "tools/model.py", *words], cwd=town, stdout=subprocess.DEVNULL)
    folder = town / "killed" / CONFIG.stem
    while not list(folder.glob("seed_0/iter_*.pth")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    pace = (folder / "pace.json").read_text()
    assert not (folder / "pace").exists()  # the measurement leaves no checkpoints

    done = run(town, "model.py", *words)
    num_iters = max(1, int(6 / json.loads(pace)["step_s"]))
    assert f"resuming the training of {num_iters} iterations" in done.stdout
    assert "resumed epoch: 0, iter: " in (folder / "seed_0/train_output.txt").read_text()
    assert (folder / f"seed_0/iter_{num_iters}.pth").is_file()
    assert (folder / "pace.json").read_text() == pace
    model = json.loads((town / "killed/comparison.json").read_text())["models"][0]
    assert (model["iterations"], model["planned_step_s"]) == (num_iters, json.loads(pace)["step_s"])
    assert not list((town / "killed").rglob("*.claim"))
