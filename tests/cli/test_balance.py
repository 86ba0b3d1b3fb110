"""tools/train.py with what helps rare classes, as a user runs it."""

import json
import math

import pytest

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import CONFIG, SHORT, run

pytestmark = pytest.mark.slow


def test_loss_weights_and_crops_by_flags_train_together_and_stay_when_it_is_resumed(town, monkeypatch):
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

    monkeypatch.chdir(town)
    cfg = load_config(CONFIG, [*SHORT[1:], "train_cfg.max_iters=6"], work_dir="work_dirs/balance")
    same = dict(loss="lovasz", class_weight="auto", rare_crops=0.5)
    assert for_training(cfg, resume="newest", **same).resume
    for name, flag in (
        ("loss", "`loss` lovasz"),
        ("class_weight", "`class_weight` auto"),
        ("rare_crops", "`rare_crops` 0.5"),
    ):
        with pytest.raises(ValueError, match=f"iter_4.pth was trained with .* resume it with {flag}, or start a new"):
            for_training(cfg, resume="newest", **{**same, name: None})
