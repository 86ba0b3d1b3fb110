import json

import pytest
import torch

from semseg.checkpoints.describe import as_json, summarize
from semseg.checkpoints.publish import publish
from tests.checkpoints.described import checkpoint, save


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save(tmp_path_factory.mktemp("run") / "iter_4.pth", checkpoint())


def rows(path):
    head, *lines = summarize(path)
    assert head == str(path)
    return {line.split()[0]: line.split(None, 1)[1] for line in lines}


def test_a_described_checkpoint_in_a_few_lines(path):
    described = rows(path)
    assert described["classes"].startswith("19: road, sidewalk, ")
    assert described["model"] == ("EncoderDecoder, ResNetV1c-18, PSPHead, FCNHead (auxiliary); tested on whole images")
    assert described["input"] == "crop 128 x 256 (height x width), tested at 320 x 160 (width x height)"
    assert described["data"] == "8 images to train, 3 images to validate; fingerprint abababababababab"
    assert described["schedule"] == "iteration 4 of 1000; 2 x 4 images; AdamW, lr 0.005, LinearLR then PolyLR"
    assert described["metrics"] == ("mIoU 41.5, aAcc 80.0 at iteration 4; lowest IoU: rider 1.0, wall 3.5, road 90.0")
    assert described["git"] == "cccccccccccc, with changes"
    assert described["command"] == "python tools/train.py x.py"
    assert "torch " in described["versions"]
    assert "with the state of the optimizer" in described["weights"]
    assert "missing" not in described


def test_both_published_formats_are_described_alike(path, tmp_path):
    pth, safe = (rows(file) for file in publish(path, tmp_path).paths)
    assert {**pth, "weights": ""} == {**safe, "weights": ""}
    assert "without the state of the optimizer" in safe["weights"]


def test_a_plain_checkpoint_of_mmengine_says_what_is_missing(tmp_path):
    meta = {
        "dataset_meta": {"classes": ("a", "b"), "palette": []},
        "cfg": "import os\nos.mkdir('x')\n",
        "iter": 7,
        "seed": 1,
        "time": "20260101_000000",
        "mmengine_version": "0.10.7",
    }
    path = save(tmp_path / "a.pth", {"meta": meta, "state_dict": {"w": torch.ones(2, 3)}})
    described = rows(path)
    assert described["classes"] == "2: a, b"
    assert described["schedule"] == "iteration 7"
    assert described["versions"] == "mmengine 0.10.7"
    assert described["missing"].startswith(
        "no description by semseg: no metrics, data, command; test and infer need the"
    )
    assert "2 lines, under meta.cfg: not executed" in described["missing"]
    assert not {"model", "metrics", "git", "command"} & described.keys()


def test_json_holds_all_of_it(path):
    content = json.loads(as_json(path))
    assert content["description"]["config"]["model"]["decode_head"]["num_classes"] == 19
    assert content["description"]["metrics"]["scores"]["IoU/bus"] is None
    assert content["holds"] == ["message_hub", "meta", "optimizer", "state_dict"]
    assert content["meta"]["cfg"] == "x = 1\ny = 2\n"


def test_a_name_cannot_control_the_terminal(tmp_path):
    meta = {"dataset_meta": {"classes": ("\x1b]0;evil\x07", "b"), "palette": []}}
    path = save(tmp_path / "a.pth", {"meta": meta, "state_dict": {}})
    assert rows(path)["classes"] == "2: ?]0;evil?, b"
