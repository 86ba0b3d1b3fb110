"""`tools/train.py --dry-run`, as a user runs it."""

import pytest

from tests.conftest import CONFIG, SHORT, run

pytestmark = pytest.mark.slow


def test_a_dry_run_of_a_healthy_config_ends_well_and_leaves_no_checkpoint(town, tmp_path):
    done = run(town, "train.py", CONFIG, "--dry-run", "--accumulate", 2, "--work-dir", tmp_path, *SHORT)
    assert "preflight: training step" in done.stdout
    assert "2 batches of 2 make an update of 4 images" in done.stdout
    assert done.stderr == f"dry run: nothing stands in the way; the log is in {next(tmp_path.glob('2*'))}\n"
    assert "Iter(train)" not in done.stdout
    assert not list(tmp_path.glob("*.pth"))


def test_a_part_without_gradient_ends_two_processes_before_they_wait_for_it(town, tmp_path):
    stages = ["num_stages=4", "strides=(1,2,1,1)", "dilations=(1,1,1,1)"]
    sick = [f"model.backbone.{one}" for one in stages]
    done = run(town, "dist_train.sh", CONFIG, 2, "--work-dir", tmp_path, *SHORT, *sick, code=2)
    assert done.stderr.count("error: no gradient reaches backbone.layer4 (15 parameters), so nothing") == 1
    assert "find_unused_parameters=True" in done.stderr
    assert "Iter(train)" not in done.stdout


def test_errors_of_recipe_and_machine_come_together_before_anything_is_built(town, tmp_path):
    (tmp_path / "file").touch()
    sick = ["train_dataloader.dataset.pipeline.3.crop_size=(64,160)", "train_dataloader.batch_size=1"]
    done = run(town, "train.py", CONFIG, "--work-dir", tmp_path / "file/a", *SHORT, *sick, code=2)
    assert f"{CONFIG} cannot be used as it is (--no-check goes on with it):" in done.stderr
    for sentence in ("crops of 64x160 (height x width) do not fit", "PSPHead pools each image to 1x1", "is a file"):
        assert done.stderr.count(sentence) == 1
    assert "preflight" not in done.stdout
