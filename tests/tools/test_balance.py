"""tools/train.py with what helps rare classes, as a user runs it."""

import json
import math

import pytest

from tests.conftest import CONFIG, SHORT, run

pytestmark = pytest.mark.slow


def test_loss_weights_and_crops_by_flags_train_together(town):
    flags = ["--loss", "lovasz", "--class-weight", "auto", "--rare-crops", 0.5]
    done = run(town, "train.py", CONFIG, "--seed", 0, "--work-dir", "work_dirs/balance", *flags, *SHORT)
    assert "50% of the samples are crops around a rare class: " in done.stdout
    (scalars,) = (town / "work_dirs/balance").glob("*/vis_data/scalars.json")
    rows = [row for row in map(json.loads, scalars.read_text().splitlines()) if "loss" in row]
    assert len(rows) == 4
    for row in rows:
        parts = {key: row[key] for key in row if "loss_" in key}
        assert set(parts) == {"decode.loss_ce", "decode.loss_lovasz", "aux.loss_ce"}
        assert all(0 < part < math.inf for part in parts.values())
