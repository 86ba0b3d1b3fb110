import csv
import importlib.util
import json
from pathlib import Path

import pytest
import torch

from semseg.analysis import model_charts, model_list
from semseg.analysis.model_costs import count_cost, remembered_cost
from semseg.analysis.published_scores import published_scores
from semseg.cli.groups import trained_model
from semseg.config import load_config
from semseg.config.recipes import recipes
from tests.conftest import raises

ZOO = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
TOY = "pspnet_r18-d8_1xb4-1000_toycity-128x256"


def zoo(name):
    (path,) = ZOO.glob(f"*/{name}.py")
    return {name: path}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "million", "gmacs", "tolerance"),
    [
        # Xie et al., "SegFormer", 2021, table 6: parameters, and "FLOPs" at 1024x2048; with the auxiliary head
        ("pspnet_r101-d8_4xb2-80k_cityscapes-512x1024", 68.1 - 2.4, 2048.9, 0.005),
        ("deeplabv3plus_r101-d8_4xb2-80k_cityscapes-512x1024", 62.7 - 2.4, 2032.3, 0.005),
        ("segformer_mit-b0_8xb1-160k_cityscapes-1024x1024", 3.8, 125.5, 0.04),
    ],
)
def test_counts_agree_with_published_ones(name, million, gmacs, tolerance):
    cost = count_cost(load_config(zoo(name)[name]))
    assert cost.num_parameters / 1e6 == pytest.approx(million, abs=0.15)
    assert cost.num_macs[1] / 1e9 == pytest.approx(gmacs, rel=tolerance)


def test_operations_of_a_convolution_network_grow_with_the_area_and_parameters_are_those_that_predict():
    cfg = load_config(TOY)
    cost = count_cost(cfg)
    assert cost.num_macs[1] == pytest.approx(4 * cost.num_macs[0], rel=0.01)
    from mmseg.registry import MODELS

    with torch.device("meta"):
        model = MODELS.build(cfg.copy().model)
    names = [(name, weight.numel()) for name, weight in model.named_parameters()]
    assert cost.num_parameters == sum(count for name, count in names if not name.startswith("auxiliary_head"))
    assert any(name.startswith("auxiliary_head") for name, _ in names)


def test_a_cost_is_remembered_until_the_model_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path))
    cfg = load_config(TOY)
    cost = remembered_cost(cfg)
    (path,) = (tmp_path / "model_costs").iterdir()
    path.write_text(json.dumps({"num_parameters": 1, "num_macs": [2, 3]}))
    assert remembered_cost(cfg) == (1, (2, 3))
    path.write_text("damaged")
    assert remembered_cost(cfg) == cost
    cfg.model.decode_head.channels *= 2
    assert remembered_cost(cfg).num_parameters > cost.num_parameters


def test_published_scores_are_those_of_the_metafiles():
    published = published_scores()
    assert published["pspnet_r101-d8_4xb2-80k_cityscapes-512x1024"] == ("Cityscapes", 79.76, 81.01, None)
    assert published["segformer_mit-b4_8xb1-160k_cityscapes-1024x1024"] == ("Cityscapes", 81.89, 83.38, 15.07)
    assert "ocrnet_hr18s_4xb4-80k_ade20k-512x512" not in published  # listed with 35.06 and with 37.19
    assert not [name for name, one in published.items() if one.data.startswith("#")]


def test_a_model_that_cannot_be_built_is_listed_with_the_reason():
    (model,) = model_list.list_models(zoo("mask2former_r50_8xb2-90k_cityscapes-512x1024"))
    assert model.cost is None
    assert "package mmdet is not installed" in model.note
    lines = model_list.table([model])
    assert "80.44" in lines[2]
    assert lines[-1].startswith("mask2former_r50_8xb2-90k_cityscapes-512x1024: model.decode_head.")
    with raises("E-config-missing", "none of the listed configs"):
        model_charts.draw_models([model])


def test_filters_choose_by_name_and_by_data():
    names = {model.name for model in model_list.list_models(recipes(), "*_r18*")}
    assert names == {name for name in recipes() if "_r18" in name}
    assert {model.name for model in model_list.list_models(recipes(), "*_R18*")} == names
    assert {model.data for model in model_list.list_models(recipes(), "R18", "ToyCity")} == {"toycity"}
    with raises("E-config-missing", "matches nothing for suim"):
        model_list.list_models(recipes(), "nothing", "suim")


def test_measured_scores_are_shown_with_how_they_were_measured(tmp_path):
    path = tmp_path / "measured.json"
    assert model_list.read_measured(path) == {}
    entry = dict(data="toycity", split="val", mIoU=61.234, minutes=30, seeds=[0, 1], machine="1 GPU")
    path.write_text(json.dumps({TOY: entry}))
    models = model_list.list_models(recipes(), TOY, measured=model_list.read_measured(path))
    assert "61.2 (toycity val, 30 min, 2 seeds, 1 GPU)" in model_list.table(models)[2]
    path.write_text(json.dumps({TOY: dict(data="toycity", mIoU=61)}))
    with raises("E-config-value", "measured.json.*no data, split or mIoU"):
        model_list.read_measured(path)


@pytest.mark.slow
def test_the_program_writes_a_table_a_csv_and_charts(tmp_path, capsys):
    assert trained_model(["list", "r18"]) == 0
    shown = capsys.readouterr().out
    assert TOY in shown
    table, chart, page = (tmp_path / f"x.{kind}" for kind in ("csv", "png", "html"))
    pattern = "pspnet_r101-d8_4xb2-80k_cityscapes-512x1024"
    assert trained_model(["list", pattern, "--csv", str(table), "--plot", str(chart)]) == 0
    (row,) = csv.DictReader(table.open(newline=""))
    assert (row["config"], row["gmacs_512x1024"], row["published_miou"]) == (pattern, "511.7", "79.76")
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert trained_model(["list", pattern, "--plot", str(page)]) == 0
    assert pattern in page.read_text()
    assert 'src="http' not in page.read_text()
    with raises("E-input-value", r"chart\.jpg"):
        trained_model(["list", "--plot", "chart.jpg"])
