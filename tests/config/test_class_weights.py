import numpy as np
import pytest
import torch
import yaml
from mmengine.config import ConfigDict
from PIL import Image

from semseg import config
from semseg.config import class_weights
from semseg.evaluation import for_testing
from semseg.training import for_training
from tests.conftest import CONFIG, raises

HEAD, AUXILIARY = (f"model.{name}.loss_decode.class_weight" for name in ("decode_head", "auxiliary_head"))
MASKS = [[0] * 8, [0, 0, 0, 0, 1, 1, 1, 1], [255] * 8]
WEIGHTS = {  # shares 12/16 and 4/16, frequencies 12/16 and 4/8; four digits
    "auto": [0.8889, 1.333],
    "auto:median-frequency": [0.8889, 1.333],
    "auto:enet": [0.7423, 1.773],
    "auto:inverse": [0.6667, 2.0],
    "auto:sqrt-inverse": [0.8453, 1.464],
}


@pytest.fixture
def data(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number, mask in enumerate(MASKS):
        Image.new("RGB", (8, 1)).save(tmp_path / f"images/{number}.png")
        write_mask(tmp_path, number, mask)
    content = {
        "splits": {name: {"images": "images", "masks": "masks"} for name in ("train", "val")},
        "encoding": "ids",
        "classes": ["a", "b"],
    }
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "dataset.yaml"


def write_mask(root, number, values):
    Image.fromarray(np.array([values], np.uint8)).save(root / f"masks/{number}.png")


def load(data, *options):
    return config.load_config(CONFIG, options, data=data, work_dir=data.parent / "run")


def weights_of(cfg):
    return [cfg.model[name].loss_decode.get("class_weight") for name in ("decode_head", "auxiliary_head")]


@pytest.mark.parametrize("word", WEIGHTS)
def test_a_training_gets_numbers(data, word):
    cfg = load(data, f"{HEAD}={word}", f"{AUXILIARY}=auto:inverse")
    assert weights_of(for_training(cfg)) == [WEIGHTS[word], WEIGHTS["auto:inverse"]]
    assert weights_of(cfg) == [word, "auto:inverse"]  # untouched


@pytest.mark.slow
def test_masks_are_counted_again_only_when_they_change(data, capsys):
    cfg = load(data, f"{HEAD}=auto")
    for _ in range(2):
        for_training(cfg)
    assert "counting" not in capsys.readouterr().out  # the check before the count has read them
    write_mask(data.parent, 2, [1] * 8)
    found = weights_of(for_training(cfg, check=False))[0]
    assert found != WEIGHTS["auto"]
    assert capsys.readouterr().out == "class_weight 'auto': counting the pixels of 1 masks\n"
    assert weights_of(for_training(cfg, check=False))[0] == found
    assert capsys.readouterr().out == ""


def test_wrong_masks_are_named_by_the_check_before_they_are_counted(data):
    write_mask(data.parent, 1, [0, 1, 7, 7, 7, 0, 0, 0])
    cfg = load(data, f"{HEAD}=auto")
    with raises("E-data-findings", r"1 of 3 masks hold values outside.*1\.png"):
        for_training(cfg)
    with raises("E-data-mask-values", r"1\.png holds values outside 0\.\.1 and 255: \{7: 3 px\}"):
        for_training(cfg, check=False)


def test_a_config_without_such_words_counts_nothing(data):
    assert weights_of(for_training(load(data))) == [None, None]
    assert not (data.parent / "run").exists()


def test_evaluation_and_inference_need_no_masks(data):
    cfg = load(data, f"{HEAD}=auto", f"{AUXILIARY}=auto:enet")
    for mask in (data.parent / "masks").iterdir():
        mask.unlink()
    torch.save({"state_dict": {}}, data.parent / "a.pth")
    assert weights_of(config.for_inference(cfg, data.parent / "a.pth")) == [None, None]
    tested = for_testing(cfg, data.parent / "a.pth", tta=True)
    assert tested.model.module.decode_head.loss_decode.class_weight is None


def test_losses_and_heads_may_be_lists(data):
    cfg = load(data)
    loss = {"type": "CrossEntropyLoss", "class_weight": "auto:inverse"}
    cfg.model.decode_head.loss_decode = [ConfigDict(loss), ConfigDict(type="DiceLoss")]
    cfg.model.auxiliary_head = [cfg.model.auxiliary_head, cfg.model.auxiliary_head.copy()]
    cfg.model.auxiliary_head[1].loss_decode = ConfigDict(loss, class_weight="auto")
    trained = for_training(cfg).model
    assert trained.decode_head.loss_decode[0].class_weight == WEIGHTS["auto:inverse"]
    assert trained.auxiliary_head[1].loss_decode.class_weight == WEIGHTS["auto"]


@pytest.mark.slow
def test_the_sets_inside_wrappers_are_counted_once_each(data):
    cfg = load(data)
    plain = cfg.train_dataloader.dataset
    repeated = {"type": "RepeatDataset", "times": 3, "dataset": plain}
    cfg.train_dataloader.dataset = {"type": "ConcatDataset", "datasets": [repeated, plain]}
    seen = []
    counts, metainfo = class_weights.count_config(cfg, "train", 1, lambda done, total: seen.append((done, total)))
    assert (counts.pixels.tolist(), counts.num_images) == ([24, 8], 6)
    assert seen == [(1, 3), (2, 3), (3, 3)]  # the second set has the same masks
    assert metainfo["classes"] == ("a", "b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["decode_head.loss_decode.class_weight=auto:invers"],
            r"\.py: model\.decode_head\.loss_decode\.class_weight is 'auto:invers'; did you mean 'auto:inv",
        ),
        (
            ["decode_head.loss_decode.class_weight=auto:xyzzy"],
            r"expected auto, auto:median-frequency, auto:enet, auto:inverse, auto:sqrt-inverse, or a list of",
        ),
        (
            ["decode_head.loss_decode.class_weight=enet"],
            r"class_weight is 'enet', which is not a file; did you mean 'auto:enet'\?",
        ),
        (
            ["decode_head.loss_decode.class_weight=auto", "decode_head.loss_decode.use_sigmoid=True"],
            "with use_sigmoid=True the loss of MMSegmentation does not support class weights; set use_sigmoid",
        ),
    ],
)
def test_words_that_mean_nothing_are_refused_when_the_config_is_read(data, options, message):
    with pytest.raises(ValueError, match=message):
        load(data, *(f"model.{option}" for option in options))


def test_other_losses_take_no_words(data):
    cfg = load(data)
    cfg.model.decode_head.loss_cls = {"type": "CrossEntropyLoss", "class_weight": "auto"}
    with pytest.raises(ValueError, match=r"x\.py: .*loss_cls\.class_weight: 'auto' works in a loss_decode only"):
        class_weights.check_class_weights(cfg, "x.py")


def test_what_cannot_be_counted_is_refused(data):
    cfg = load(data, f"{HEAD}=auto")
    cfg.train_dataloader.dataset.pipeline = [{"type": "LoadImageFromFile"}]
    with pytest.raises(ValueError, match="train_dataloader: its pipeline has no LoadTrainIds or LoadAnnotations"):
        for_training(cfg)
    cfg.train_dataloader = None
    with pytest.raises(ValueError, match="class_weight 'auto' is computed from the training masks, and there is"):
        class_weights.fill_in_class_weights(cfg)
    with pytest.raises(
        ValueError, match="the config has no train_dataloader, so there are no masks of split train to count"
    ):
        class_weights.count_config(cfg, "train", 1)
