"""The weights that a model loads from a checkpoint of another model, and the parts that are frozen."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg.labels import CITYSCAPES
from semseg.training.fine_tuning import carry_over
from semseg.training.freeze import freeze
from tests.conftest import CONFIG, raises

CLASSES = CITYSCAPES.classes
HEADS = ("decode_head.conv_seg", "auxiliary_head.conv_seg")


def model_of(num_classes=19, **changes):
    """The ToyCity network, an eighth as wide, freshly initialised."""
    init_default_scope("mmseg")
    model = Config.fromfile(CONFIG).model
    model.backbone.update(base_channels=4, stem_channels=4)
    model.decode_head.update(in_channels=16, channels=8, num_classes=num_classes)
    model.auxiliary_head.update(in_channels=8, channels=4, num_classes=num_classes)
    cfg = Config(dict(model=model))
    cfg.merge_from_dict({f"model.{key}": value for key, value in changes.items()})
    return MODELS.build(cfg.model)


def weights(num_classes=19, **changes):
    return model_of(num_classes, **changes).state_dict()


def without(state_dict, *starts):
    return {name: value for name, value in state_dict.items() if not name.startswith(starts)}


@pytest.fixture(scope="module")
def stored():
    return weights()


def test_rows_are_matched_by_name(stored):
    own = weights(5)
    taken, report = carry_over(own, stored, ("fish", "Traffic_Light", "sky", "trafficsign", "road"), CLASSES, "x.pth")
    for layer in HEADS:
        for name in (f"{layer}.weight", f"{layer}.bias"):
            assert torch.equal(taken[name][0], own[name][0])
            rows = [CLASSES.index(known) for known in ("traffic light", "sky", "traffic sign", "road")]
            assert torch.equal(taken[name][1:], stored[name][rows])
    same = without(own, *HEADS)
    assert all(torch.equal(taken[name], stored[name]) for name in same)
    assert report == [
        "loaded 115 of 119 tensors from x.pth",
        "decode_head.conv_seg, auxiliary_head.conv_seg: 4 of 19 classes carried over by name (Traffic_Light, sky,"
        " trafficsign, road), re-initialised: fish",
    ]


def test_an_equal_name_comes_before_a_similar_one(stored):
    known = ("Sky", "sky", *map(str, range(17)))
    taken, _ = carry_over(weights(2), stored, ("sky", "SKY"), known, "x.pth")
    assert torch.equal(taken["decode_head.conv_seg.bias"], stored["decode_head.conv_seg.bias"][[1, 0]])


def test_the_same_classes_in_another_order_are_reordered(stored):
    own = weights()
    taken, report = carry_over(own, stored, CLASSES[::-1], CLASSES, "x.pth")
    for layer in HEADS:
        assert torch.equal(taken[f"{layer}.weight"], stored[f"{layer}.weight"].flip(0))
    assert report == [
        "loaded 119 of 119 tensors from x.pth",
        "decode_head.conv_seg, auxiliary_head.conv_seg: 19 of 19 classes carried over by name (bicycle, motorcycle,"
        " train, bus and 15 more), none re-initialised",
    ]


def test_the_same_classes_are_not_reported(stored):
    taken, report = carry_over(weights(), stored, list(CLASSES), CLASSES, "x.pth")
    assert all(torch.equal(taken[name], value) for name, value in stored.items())
    assert report == ["loaded 119 of 119 tensors from x.pth"]


def test_other_classes_are_re_initialised(stored):
    own = weights(2)
    taken, report = carry_over(own, stored, ("fish", "wreck"), CLASSES, "x.pth")
    assert torch.equal(taken["decode_head.conv_seg.weight"], own["decode_head.conv_seg.weight"])
    assert report[1].endswith(": 0 of 19 classes carried over by name, re-initialised: fish, wreck")


def test_without_names_the_number_decides(stored):
    taken, report = carry_over(weights(), stored, CLASSES, None, "x.pth")
    assert torch.equal(taken["decode_head.conv_seg.bias"], stored["decode_head.conv_seg.bias"])
    assert report == [
        "loaded 119 of 119 tensors from x.pth",
        "decode_head.conv_seg, auxiliary_head.conv_seg: taken as it is, the names of its 19 classes cannot be compared",
    ]
    for known in (None, CLASSES[:7]):  # the latter: names that are not those of its rows
        own = weights(5)
        taken, report = carry_over(own, stored, ("road", "a", "b", "c", "d"), known, "x.pth")
        assert torch.equal(taken["decode_head.conv_seg.bias"], own["decode_head.conv_seg.bias"])
        assert report == [
            "loaded 115 of 119 tensors from x.pth",
            "decode_head.conv_seg, auxiliary_head.conv_seg: re-initialised, the file has 19 rows instead of 5",
        ]


def test_one_row_for_two_classes():
    one_row = {"decode_head.out_channels": 1, "decode_head.threshold": 0.3}
    own, file = weights(2, **one_row), weights(2, **one_row)
    for classes, source in ((("sky", "road"), file), (("road", "sky"), own), (("a", "b"), own)):
        taken, _ = carry_over(own, file, classes, ("sky", "road"), "x.pth")
        assert torch.equal(taken["decode_head.conv_seg.weight"], source["decode_head.conv_seg.weight"])


HEADS_OF_OTHER_KINDS = [
    dict(type="DAHead", in_channels=8, channels=8, pam_channels=4),
    dict(type="EncHead", in_channels=[8, 8, 8], in_index=[0, 1, 2], channels=8, num_codes=4, use_se_loss=True),
    dict(type="SegmenterMaskTransformerHead", in_channels=8, channels=8, embed_dims=8, num_layers=1, num_heads=1),
    dict(type="DDRHead", in_channels=8, channels=8),
    dict(type="PIDHead", in_channels=8, channels=8, loss_decode=[dict(type="CrossEntropyLoss")] * 4),
]


@pytest.mark.parametrize("head", HEADS_OF_OTHER_KINDS, ids=lambda head: head["type"])
def test_every_layer_of_a_head_that_counts_classes_is_carried_over(head):
    init_default_scope("mmseg")
    own, file = (
        {
            f"decode_head.{name}": value
            for name, value in MODELS.build({**copy.deepcopy(head), "num_classes": count}).state_dict().items()
        }
        for count in (5, 19)
    )
    taken, report = carry_over(own, file, ("sky", "a", "b", "c", "road"), CLASSES, "x.pth")
    for name in (name for name in own if own[name].shape != file[name].shape):
        axis = own[name].shape.index(5)
        assert torch.equal(taken[name].select(axis, 4), file[name].select(axis, CLASSES.index("road")))
        assert torch.equal(taken[name].select(axis, 1), own[name].select(axis, 1))
        layer = name.removesuffix(".weight").removesuffix(".bias")
        assert layer in report[1].partition(": ")[0].split(", ")


def test_a_head_that_the_file_lacks_is_re_initialised_and_one_that_the_model_lacks_is_left_out(stored):
    own = weights()
    taken, report = carry_over(own, without(stored, "decode_head", "auxiliary"), CLASSES, CLASSES, "backbone.pth")
    assert not [name for name in taken if not name.startswith("backbone")]
    assert report == [
        "loaded 85 of 119 tensors from backbone.pth",
        "auxiliary_head: re-initialised, the file has none",
        "decode_head: re-initialised, the file has none",
    ]
    taken, report = carry_over(without(own, "auxiliary"), stored, CLASSES, CLASSES, "x.pth")
    assert report[1:] == ["auxiliary_head: left out, the model has none"]
    twice = without(own, "auxiliary") | {
        name.replace("head.", f"head.{i}."): value
        for i in range(2)
        for name, value in own.items()
        if name.startswith("auxiliary")
    }
    once = {name.replace("auxiliary_head.", "auxiliary_head.0."): value for name, value in stored.items()}
    _, report = carry_over(twice, once, CLASSES[::-1], CLASSES, "x.pth")
    assert report[1].startswith("decode_head.conv_seg, auxiliary_head.0.conv_seg: 19 of 19")
    assert report[2:] == ["auxiliary_head.1: re-initialised, the file has none"]


def test_a_missing_backbone_is_refused(stored):
    message = r"^x.pth .* 85 tensors .* \(backbone.stem.0.weight, backbone.stem.1.weight and 83 more\)[^(]*$"
    with raises("E-checkpoint-mismatch", message):
        carry_over(weights(), without(stored, "backbone"), CLASSES, CLASSES, "x.pth")


def test_a_deeper_backbone_is_refused():
    deeper = weights(**{"backbone.depth": 34})
    message = (
        r"^x.pth .* 70 tensors of the file .*"
        r" \(backbone.layer1.2.conv1.weight, backbone.layer1.2.bn1.weight and 68 more\)[^(]*$"
    )
    with raises("E-checkpoint-mismatch", message):
        carry_over(weights(), deeper, CLASSES, CLASSES, "x.pth")


def test_a_wider_backbone_is_refused(stored):
    wider = weights(**{"backbone.stem_channels": 8})
    with raises("E-checkpoint-mismatch", r"^x.pth .* \d+ tensors have another shape \(backbone.stem"):
        carry_over(weights(), wider, CLASSES, CLASSES, "x.pth")


def test_another_head_is_refused_with_a_way_to_take_the_backbone_alone(stored):
    changes = {"decode_head._delete_": True, "decode_head.type": "FCNHead"}
    sizes = {"in_channels": 16, "channels": 8, "in_index": 2, "num_classes": 19}
    own = weights(**changes, **{f"decode_head.{key}": value for key, value in sizes.items()})
    message = (
        r"not in the file \(decode_head.convs.* \(decode_head.psp_modules.* `load_from`, .* `cfg_options`"
        r" model.pretrained=None model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=x.pth"
    )
    with raises("E-checkpoint-mismatch", message):
        carry_over(own, stored, CLASSES, CLASSES, "x.pth")


def test_a_file_of_which_nothing_fits_is_refused(stored):
    bare = {name.removeprefix("backbone."): value for name, value in stored.items() if name.startswith("backbone")}
    message = r"^nothing of r18.pth .* stem.0.weight, .* `cfg_options` model.pretrained=r18.pth, without `load_from`$"
    with raises("E-checkpoint-mismatch", message):
        carry_over(weights(), bare, CLASSES, None, "r18.pth")
    with raises("E-checkpoint-mismatch", "^nothing of x.pth .* no tensors"):
        carry_over(weights(), {"epoch": 3, "model": stored}, CLASSES, None, "x.pth")


def test_tensors_that_are_no_weights_may_differ(stored):
    file = {f"module.{name}": value for name, value in stored.items() if not name.endswith("num_batches_tracked")}
    file |= {"module.decode_head.loss_decode.weight": torch.ones(19), "data_preprocessor.mean": torch.zeros(3)}
    _, report = carry_over(weights(), file, CLASSES, CLASSES, "x.pth")
    assert report == ["loaded 119 of 119 tensors from x.pth"]


def test_frozen_parts_require_no_gradient():
    model = model_of()
    freeze(model, ["backbone.stem", "decode_head"])
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {name for name, _ in model.named_parameters() if name.startswith(("backbone.stem", "decode_head"))}


def test_names_of_parts_are_checked():
    message = (
        "^`freeze` head: .* decode_head[?] .* backbone, backbone.stem,"
        " backbone.layer1, backbone.layer2, backbone.layer3, decode_head, auxiliary_head$"
    )
    with raises("E-config-frozen-parts", message):
        freeze(model_of(), ["head"])
    with raises("E-config-frozen-parts", r"^`freeze` backbone auxiliary_head decode_head "):
        freeze(model_of(), ["backbone", "auxiliary_head", "decode_head"])
