import json

import numpy as np
import pytest
import torch
from mmseg.models import PSPHead

from semseg import compat
from semseg.checkpoints.plain import from_json, is_secret, plain, round_scores, to_json


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
    "version": torch.__version__,  # of a subclass of str
    "weights": torch.ones(2),
    "names": {"b", "a"},
    "odd": Odd(),
    "nothing": None,
    "on": True,
}


def test_plain_data_keeps_its_tuples_and_turns_classes_into_names():
    converted = plain(CONFIG)
    assert converted["crop_size"] == (64, 128)
    assert converted["strides"] == [1, 2, (3,)]
    assert (converted["type"], converted["act"]) == ("PSPHead", "ReLU")
    assert converted["map"] == {0: 255, (1, 2, 3): 4}
    assert (converted["mean"], converted["weights"], converted["names"]) == ([1.5, 2.5], [1.0, 1.0], ["a", "b"])
    types = [type(converted[key]) for key in ("count", "share", "flag", "version", "odd", "on")]
    assert types == [int, float, bool, str, str, bool]
    assert converted["nothing"] is None


def test_plain_data_loads_without_code_and_survives_json(tmp_path):
    torch.save({"meta": plain(CONFIG)}, tmp_path / "a.pth")
    assert compat.load_checkpoint_file(tmp_path / "a.pth")["meta"] == plain(CONFIG)
    assert from_json(to_json(plain(CONFIG))) == plain(CONFIG)


@pytest.mark.parametrize("text", ["{", '{"__items__":[[[1],2]]}', '{"__items__":3}'])
def test_text_that_to_json_did_not_write_is_refused(text):
    with pytest.raises(ValueError):
        from_json(text)


def test_secrets_are_hidden_and_other_words_are_not():
    harmless = {"with_cls_token": True, "token_size": 3, "author": "me", "tokenizer": "bpe"}
    secrets = {"backend": {"api_key": "s3cret", "token": "t"}, "url": "https://me:pw@host/x"}
    converted = plain({**secrets, **harmless})
    text = json.dumps(converted)
    assert "s3cret" not in text
    assert converted["backend"] == {"api_key": "***", "token": "***"}
    assert converted["url"] == "https://***@host/x"
    assert {name: converted[name] for name in harmless} == harmless
    assert all(map(is_secret, ["WANDB_API_KEY", "--password", "model.auth", "access-key", "credentials"]))


def test_scores_are_numbers_or_none():
    rounded = round_scores({"mIoU": np.float32(42.123456), "IoU/bus": float("nan"), "name": "x"})
    assert rounded == {"mIoU": 42.1235, "IoU/bus": None}
