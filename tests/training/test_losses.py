import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from semseg import config
from semseg.config.options import pick
from semseg.errors import InvalidConfigError
from semseg.training.losses import choose_losses
from semseg.training.options import LossOptions
from tests.conftest import CONFIG, raises
from tests.training.asked import asked

LOSSES = ["ce", "ohem", "focal", "dice", "lovasz"]
CROP_KEYS = {"crop_size": (128, 256), "cat_max_ratio": 0.75}


@pytest.fixture(scope="module")
def plain():
    return config.load_config(CONFIG)


def balance(cfg, **choices):
    cfg = copy.deepcopy(cfg)
    choose_losses(cfg, pick(LossOptions, choices))
    return asked(cfg, "rare_crops", **choices)


def balanced(plain, **choices):
    return balance(plain, **choices)


def steps_of(dataset):
    return [step["type"] for step in dataset["pipeline"]]


def built_head(cfg):
    torch.manual_seed(0)
    small = dict(cfg.model.decode_head, norm_cfg=dict(type="BN"), num_classes=4, in_channels=8, channels=16)
    return MODELS.build(ConfigDict(small))


def street(head):
    """Return features that distinguish the classes; 255 at the top, class 2 in an eighth, class 3 nowhere."""
    target = torch.zeros(4, 32, 64, dtype=torch.long)
    target[:, 16:] = 1
    target[:, 8:24, :16] = 2
    target[:, :4] = 255
    torch.manual_seed(1)
    features = torch.randn(4, 8)[target[:, 4::8, 4::8].clamp(max=3)].movedim(-1, 1) + 0.3 * torch.randn(4, 8, 4, 8)
    return [features] * (head.in_index + 1), target


def losses_of(head, features, target):
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one[None])) for one in target]
    return head.loss(features, samples, ConfigDict())


@pytest.mark.slow
@pytest.mark.parametrize("class_weight", [None, [0.5, 0.5, 3.0, 1.0]])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_with_ignored_pixels_and_absent_classes(plain, name, class_weight):
    cfg = copy.deepcopy(plain)
    cfg.model.decode_head.loss_decode.class_weight = class_weight
    cfg = balance(cfg, loss=name)
    head = built_head(cfg)
    features, target = street(head)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    sums = []
    for _ in range(40):
        losses = losses_of(head, features, target)
        sums.append(sum(loss for key, loss in losses.items() if key.startswith("loss_")))
        optimizer.zero_grad()
        sums[-1].backward()
        assert all(p.grad.isfinite().all() for p in head.parameters())
        optimizer.step()
    assert sums[-1] < 0.5 * sums[0]
    predicted = torch.nn.functional.interpolate(head(features), size=target.shape[1:], mode="bilinear").argmax(dim=1)
    for train_id in (0, 1, 2):
        assert (predicted[target == train_id] == train_id).float().mean() > 0.6, train_id


@pytest.mark.parametrize("class_weight", [None, [0.5, 0.5, 3.0, 1.0]])
@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_a_labelled_pixel_has_zero_loss_and_gradient(plain, name, class_weight):
    cfg = copy.deepcopy(plain)
    cfg.model.decode_head.loss_decode.class_weight = class_weight
    cfg = balance(cfg, loss=name)
    head = built_head(cfg)
    features, target = street(head)
    losses = losses_of(head, features, torch.full_like(target, 255))
    total = sum(loss for key, loss in losses.items() if key.startswith("loss_"))
    total.backward()
    assert total.item() == 0
    assert not any(p.grad.any() for p in head.parameters())


def test_the_losses_are_those_of_mmsegmentation(plain):
    plain_loss = plain.model.decode_head.loss_decode
    for name in LOSSES:
        cfg = balanced(plain, loss=name)
        head = cfg.model.decode_head
        parts = head.loss_decode if isinstance(head.loss_decode, list) else [head.loss_decode]
        types = {
            "focal": ["FocalLoss"],
            "dice": ["CrossEntropyLoss", "TverskyLoss"],
            "lovasz": ["CrossEntropyLoss", "LovaszLoss"],
        }
        assert [part["type"] for part in parts] == types.get(name, ["CrossEntropyLoss"])
        names = [MODELS.build(dict(part)).loss_name for part in parts]
        assert len(set(names)) == len(names) and all(n.startswith("loss_") for n in names)
        assert cfg.model.auxiliary_head == plain.model.auxiliary_head
        assert ("sampler" in head) == (name == "ohem")
        back = balanced(cfg, loss="ce").model.decode_head
        assert {**back.loss_decode, "class_weight": None} == {**plain_loss, "class_weight": None}
        assert "sampler" not in back
    assert balanced(plain, loss="focal").model.decode_head.loss_decode.loss_weight == 19.0


def test_ohem_keeps_the_same_share_of_a_crop_as_the_model_zoo(plain):
    assert balanced(plain, loss="ohem").model.decode_head.sampler.min_kept == 6250  # of 128x256
    cfg = copy.deepcopy(plain)
    cfg.train_dataloader.dataset.pipeline[3].crop_size = (512, 1024)
    assert balanced(cfg, loss="ohem").model.decode_head.sampler.min_kept == 100_000
    cfg.train_dataloader.dataset.pipeline[3].crop_size = 64
    cfg = balance(cfg, loss="ohem", rare_crops=0.5)
    assert cfg.model.decode_head.sampler.min_kept == round(64 * 64 * 100_000 / 524_288)


def test_the_dice_loss_of_mmsegmentation_pools_the_classes_and_counts_ignored_pixels():
    """When this fails, `--loss dice` may take it instead of the TverskyLoss."""
    truth = torch.zeros(1, 10, 10, dtype=torch.long)
    truth[0, 0, 0] = 1
    scores = torch.zeros(1, 3, 10, 10)
    scores[:, 0] = 20.0  # all of it the frequent class
    dice = MODELS.build(dict(type="DiceLoss", use_sigmoid=False))
    by_class = MODELS.build(dict(type="TverskyLoss", alpha=0.5, beta=0.5))
    assert dice(scores, truth) < 0.02
    assert by_class(scores, truth) > 0.1  # a third of 1 - 1 / 1.5 for the one that is missed
    truth[0, 1:] = 255
    scores.requires_grad_()
    for loss, sees in ((dice, True), (by_class, False)):
        noisy = scores * 0.1
        (gradient,) = torch.autograd.grad(loss(noisy, truth), scores)
        assert bool(gradient[:, :, 1:].any()) == sees


def test_class_weights_are_set_in_every_head(plain):
    cfg = balanced(plain, loss="lovasz", class_weight="auto:enet")
    cross_entropy, lovasz = cfg.model.decode_head.loss_decode
    assert cross_entropy["class_weight"] == cfg.model.auxiliary_head.loss_decode.class_weight == "auto:enet"
    assert "class_weight" not in lovasz
    assert balanced(cfg, loss="focal").model.decode_head.loss_decode.class_weight == "auto:enet"


def test_rare_crops_wrap_the_set_and_replace_its_crop(plain):
    cfg = balanced(plain, rare_crops=0.25)
    wrapper = cfg.train_dataloader.dataset
    assert (wrapper.type, wrapper.share, wrapper.dataset.type) == ("RareClassDataset", 0.25, "CityscapesDataset")
    assert wrapper.dataset.pipeline[3] == {"type": "RareClassCrop", **CROP_KEYS}
    assert steps_of(plain.train_dataloader.dataset)[3] == "RandomCrop"  # untouched
    again = balanced(cfg, rare_crops=0.5).train_dataloader.dataset
    assert again == {**wrapper, "share": 0.5}


@pytest.mark.slow
def test_a_config_with_rare_crops_does_the_same_as_the_option(plain, tmp_path, town, monkeypatch):
    path = tmp_path / "rare.py"
    path.write_text(
        f"_base_ = {str(CONFIG)!r}\n"
        'train_dataloader = dict(dataset=dict(_delete_=True, type="RareClassDataset", share=0.25,'
        " dataset=_base_.train_dataloader.dataset))\n"
    )
    cfg = config.load_config(path)
    assert cfg.train_dataloader == balanced(plain, rare_crops=0.25).train_dataloader
    data = town / "data/rosario_labelled/dataset.yaml"
    wrapper = config.load_config(path, ["train_dataloader.dataset.share=0.75"], data=data).train_dataloader.dataset
    assert (wrapper.type, wrapper.share, wrapper.dataset.type) == ("RareClassDataset", 0.75, "FolderSegDataset")
    assert steps_of(wrapper.dataset)[3] == "RareClassCrop"


def test_wrappers_of_the_config_are_kept_inside(plain):
    cfg = copy.deepcopy(plain)
    part = cfg.train_dataloader.dataset
    repeated = ConfigDict(type="RepeatDataset", times=2, dataset=part)
    cfg.train_dataloader.dataset = ConfigDict(type="ConcatDataset", datasets=[repeated, copy.deepcopy(part)])
    cfg = balance(cfg, rare_crops=1.0)
    first, second = cfg.train_dataloader.dataset.dataset.datasets
    assert steps_of(first.dataset)[3] == steps_of(second)[3] == "RareClassCrop"


def with_head(plain, **changes):
    cfg = copy.deepcopy(plain)
    cfg.model.decode_head.update(changes)
    return cfg


def without_crop(plain):
    cfg = copy.deepcopy(plain)
    del cfg.train_dataloader.dataset.pipeline[3]
    return cfg


@pytest.mark.parametrize(
    ("change", "choices", "code", "message"),
    [
        (
            {"loss_decode": [dict(type="OhemCrossEntropy"), dict(type="BoundaryLoss")]},
            {"loss": "focal"},
            "E-config-unsupported",
            "^`loss` focal: .* PSPHead with OhemCrossEntropy and BoundaryLoss",
        ),
        ({"type": "PointHead"}, {"loss": "dice"}, "E-config-unsupported", "^`loss` dice: .* PointHead with Cross"),
        (
            {"loss_decode": dict(type="CrossEntropyLoss", use_sigmoid=True)},
            {"loss": "ohem"},
            "E-config-unsupported",
            "^`loss` ohem: .* use_sigmoid=False",
        ),
        ({}, {"loss": "l1"}, "E-config-value", "^`loss` l1: .* ce, ohem, focal, dice or lovasz"),
        ({}, {"rare_crops": 0.0}, "E-config-range", r"^`rare_crops` 0\.0: .* above 0 and at most 1"),
        ({}, {"rare_crops": 50.0}, "E-config-range", r"^`rare_crops` 50\.0: .* above 0 and at most 1"),
    ],
)
def test_wrong_values_are_refused(plain, change, choices, code, message):
    with raises(code, message):
        balance(with_head(plain, **change), **choices)


def test_a_formula_of_class_weights_that_does_not_exist_is_refused(plain):
    message = r"^`class_weight`: model\.decode_head\.loss_decode\.class_weight is 'auto:invers'; .* 'auto:inverse'"
    with pytest.raises(InvalidConfigError, match=message):
        balance(plain, class_weight="auto:invers")


def test_options_that_do_not_fit_the_config_are_refused(plain):
    with pytest.raises(InvalidConfigError, match="CityscapesDataset has no RandomCrop"):
        balance(without_crop(plain), rare_crops=0.5)
    with raises("E-config-missing-key", "^`loss` ohem .* RandomCrop"):
        balance(without_crop(plain), loss="ohem")
    cfg = with_head(plain, loss_decode=dict(type="LovaszLoss"))
    cfg.model.auxiliary_head = None
    with raises("E-config-unsupported", "^`class_weight` auto: .* CrossEntropyLoss or FocalLoss"):
        cfg = balance(cfg, class_weight="auto")
