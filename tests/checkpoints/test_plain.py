import json

import numpy as np
import pytest
import torch
from mmseg.models import PSPHead

from semseg import compat
from semseg.checkpoints.plain import from_json, is_secret, plain, scores, to_json


class Odd:
    def __str__(self):
        return "odd"


CONFIG = {
    "crop_size": (64, 128),
    "strides": [1, 2, (3,)],
    "type": PSPHead,
    "act": torch.nn.ReLU,
    "map": {0: 255, (1, 2, 3): 4},
    "mean": np.array([1.5, 2.5]),
    "count": np.int64(3),
    "share": np.float64(0.5),
    "flag": np.bool_(True),
    "version": torch.__version__,  # a string, and more than that
    "weights": torch.ones(2),
    "names": {"b", "a"},
    "odd": Odd(),
    "nothing": None,
    "on": True,
}


def test_plain_data_keeps_its_tuples_and_turns_classes_into_names():
    found = plain(CONFIG)
    assert found["crop_size"] == (64, 128)
    assert found["strides"] == [1, 2, (3,)]
    assert (found["type"], found["act"]) == ("PSPHead", "ReLU")
    assert found["map"] == {0: 255, (1, 2, 3): 4}
    assert (found["mean"], found["weights"], found["names"]) == ([1.5, 2.5], [1.0, 1.0], ["a", "b"])
    assert [type(found[key]) for key in ("count", "share", "flag", "version", "odd", "on")] == [
        int, float, bool, str, str, bool]  # fmt: skip
    assert found["nothing"] is None


def test_plain_data_loads_without_code_and_survives_json(tmp_path):
    torch.save({"meta": plain(CONFIG)}, tmp_path / "a.pth")
    assert compat.load_checkpoint_file(tmp_path / "a.pth")["meta"] == plain(CONFIG)
    assert from_json(to_json(plain(CONFIG))) == plain(CONFIG)


@pytest.mark.parametrize("text", ["{", '{"__items__":[[[1],2]]}', '{"__items__":3}'])
def test_what_is_no_such_json_is_refused(text):
    with pytest.raises(ValueError):
        from_json(text)


def test_secrets_are_hidden_and_other_words_are_not():
    found = plain({"backend": {"api_key": "s3cret", "token": "t"}, "url": "https://me:pw@host/x",
                   "with_cls_token": True, "token_size": 3, "author": "me", "tokenizer": "bpe"})  # fmt: skip
    text = json.dumps(found)
    assert "s3cret" not in text
    assert found["backend"] == {"api_key": "***", "token": "***"}
    assert found["url"] == "https://***@host/x"
    assert (found["with_cls_token"], found["token_size"], found["author"], found["tokenizer"]) == (True, 3, "me", "bpe")
    assert all(map(is_secret, ["WANDB_API_KEY", "--password", "model.auth", "access-key", "credentials"]))


def test_scores_are_numbers_or_none():
    assert scores({"mIoU": np.float32(42.123456), "IoU/bus": float("nan"), "name": "x"}) == {
        "mIoU": 42.1235, "IoU/bus": None}  # fmt: skip
