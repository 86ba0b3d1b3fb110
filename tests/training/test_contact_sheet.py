import json

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import CONFIG, SHORT, run

pytestmark = pytest.mark.slow


def losses_of(work_dir):
    (scalars,) = work_dir.glob("*/vis_data/scalars.json")
    rows = map(json.loads, scalars.read_text().splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def test_a_run_draws_a_sheet_before_its_first_iteration(trained):
    (path,) = trained.glob("*/contact_sheet.jpg")
    assert Image.open(path).width == 1600
    events = EventAccumulator(str(next(trained.glob("*/vis_data"))))
    events.Reload()
    assert [image.step for image in events.Images("contact_sheet")] == [0]


def test_the_losses_are_the_same_without_the_hook(town, trained):
    without = [*SHORT, "custom_hooks.0.num_samples=0"]
    run(town, "train.py", CONFIG, "--seed", 0, "--work-dir", "work_dirs/no_sheet", *without)
    assert not list((town / "work_dirs/no_sheet").glob("*/contact_sheet.jpg"))
    assert losses_of(town / "work_dirs/no_sheet") == losses_of(trained)
