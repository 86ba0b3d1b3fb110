import importlib.util
import re
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config

from semseg import config, labels
from semseg.config import classes as config_classes
from semseg.config.dataset_files import use_dataset_files
from semseg.errors import InvalidDataError, MissingDataError
from semseg.evaluation import for_testing
from semseg.training import for_training
from tests.conftest import CONFIG, REPO, raises

RECIPE = REPO / "configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"
STOCK_CONFIGS = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
FOLDERS = {"images": "photos", "masks": "masks"}


def write_dataset_file(folder, classes=("sand", "water", "boat"), splits=("train", "val", "test"), **more):
    content = {"splits": dict.fromkeys(splits, FOLDERS), "encoding": "ids", "classes": list(classes)}
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump(content | more))
    return path


def write_config(folder, text):
    path = folder / "a.py"
    path.write_text(f"_base_ = {str(RECIPE)!r}\n{text}\n")
    return path


def write_checkpoint(folder, classes=labels.CITYSCAPES.classes, **meta):
    path = folder / "model.pth"
    meta = meta or {"dataset_meta": {"classes": classes, "palette": []}}
    torch.save({"meta": meta, "state_dict": {}}, path)
    return path


def num_classes_of(model):
    return [model.decode_head.num_classes, model.auxiliary_head.num_classes]


def test_a_dataset_file_replaces_the_data_and_the_class_count(tmp_path):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path))
    for name in ("train", "val", "test"):
        dataset = cfg[f"{name}_dataloader"].dataset
        assert (dataset.type, dataset.split) == ("FolderSegDataset", name)
        assert dataset.dataset_file == str(tmp_path / "dataset.yaml")
    plain = config.load_config(RECIPE)
    types = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert types == [step.type for step in plain.train_dataloader.dataset.pipeline]
    assert num_classes_of(cfg.model) == [3, 3]
    assert num_classes_of(plain.model) == [19, 19]


@pytest.mark.parametrize(
    ("splits", "taken"),
    [
        (["train", "val"], ["train", "val", "val"]),
        (["train", "test"], ["train", "test", "test"]),
        (["test"], ["train", "test", "test"]),  # `for_training` reports the missing split
    ],
)
def test_validation_and_test_use_the_split_of_the_other_if_theirs_is_missing(tmp_path, splits, taken):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, splits=splits))
    assert [cfg[f"{name}_dataloader"].dataset.split for name in ("train", "val", "test")] == taken


def test_training_without_a_split_to_train_or_validate_on_is_refused(tmp_path):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, splits=["test"]))
    with raises("E-config-split", r"dataset\.yaml .* 'train', only test; training "):
        for_training(cfg)
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, splits=["train"]))
    with raises("E-config-split", r"'val', only train; training .*'test'"):
        for_training(cfg)
    checkpoint = write_checkpoint(tmp_path, ["sand", "water", "boat"])
    with raises("E-config-split", r"'test', only train; testing .*'val'"):
        for_testing(cfg, checkpoint)


def test_the_split_that_is_used_instead_is_named(tmp_path, caplog):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, splits=["train", "test"]))
    for_training(cfg)
    assert re.search(r"validating on split 'test': .*dataset\.yaml has no 'val'", caplog.text)
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, splits=["train", "val"]))
    caplog.clear()
    for_training(cfg)
    assert caplog.text == ""
    for_testing(cfg, write_checkpoint(tmp_path, ["sand", "water", "boat"]))
    assert re.search(r"testing on split 'val': .*dataset\.yaml has no 'test'", caplog.text)


def test_lists_of_heads_and_pipelines_of_other_projects_are_adapted(tmp_path):
    path = write_config(
        tmp_path,
        """
head = dict(type='FCNHead', in_channels=1024, in_index=2, channels=8, num_convs=1, concat_input=False,
            num_classes=19, norm_cfg=dict(type='BN'))
model = dict(auxiliary_head=dict(_delete_=True, **head))
train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2, dataset=dict(
    type='CityscapesDataset', pipeline=[dict(type='LoadImageFromFile'),
                                        dict(type='LoadAnnotations', reduce_zero_label=True)])))
""",
    )
    text = path.read_text().replace("dict(_delete_=True, **head)", "[head, head]")
    path.write_text(text)
    cfg = config.load_config(path, data=write_dataset_file(tmp_path, exif="ignore"))
    assert [head.num_classes for head in cfg.model.auxiliary_head] == [3, 3]
    assert cfg.train_dataloader.dataset.pipeline == [
        {"type": "LoadPhotograph", "color_type": "color_ignore_orientation"},
        {"type": "LoadTrainIds"},
    ]
    assert cfg.tta_pipeline[0].color_type == "color_ignore_orientation"


def test_options_win_over_the_dataset_file(tmp_path):
    data = write_dataset_file(tmp_path, splits=["train", "val", "test"])
    cfg = config.load_config(RECIPE, ["test_dataloader.dataset.split=val"], data=data)
    assert cfg.test_dataloader.dataset.split == "val"


def test_a_missing_or_wrong_dataset_file_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"dataset\.yaml"):
        config.load_config(RECIPE, data=tmp_path / "dataset.yaml")
    with pytest.raises(InvalidDataError, match=r"dataset\.yaml: exif: 'no'; expected apply, ignore"):
        config.load_config(RECIPE, data=write_dataset_file(tmp_path, exif="no"))


def test_every_loader_of_train_ids_gets_the_number_of_classes():
    cfg = config.load_config(CONFIG)
    pipelines = [cfg[f"{name}_dataloader"].dataset.pipeline for name in ("train", "val", "test")]
    loaders = [step for steps in pipelines for step in steps if step.type == "LoadTrainIds"]
    loaders += cfg.tta_pipeline[1].transforms[2]
    assert [loader.num_classes for loader in loaders] == [19, 19, 19, 19]


def test_a_head_with_another_number_of_classes_is_refused(tmp_path):
    values = r"a\.py: model\.auxiliary_head\.num_classes is 7, .*CityscapesDataset has 19 classes \(road, "
    with raises("E-config-classes", values):
        config.load_config(write_config(tmp_path, "model = dict(auxiliary_head=dict(num_classes=7))"))
    option = ["model.decode_head.num_classes=7"]
    with raises("E-config-classes", r"model\.decode_head\.num_classes is 7, .*dataset\.yaml has 3 classes"):
        config.load_config(RECIPE, option, data=write_dataset_file(tmp_path))


def test_class_weights_need_one_number_per_class(tmp_path):
    weights = "[1.0] * 18 + [2.0]"
    path = write_config(tmp_path, f"model = dict(decode_head=dict(loss_decode=dict(class_weight={weights})))")
    for_training(config.load_config(path))
    cfg = config.load_config(path, ["model.decode_head.loss_decode.class_weight=[1.0,2.0]"])
    values = r"^model\.decode_head\.loss_decode\.class_weight holds 2 .*CityscapesDataset has 19 "
    with raises("E-config-class-weights", values):
        for_training(cfg)


def test_only_a_loss_of_masks_has_one_weight_more_than_classes(tmp_path):
    path = write_config(tmp_path, "")
    option = f"model.decode_head.loss_decode.class_weight=[{'1.0,' * 19}0.1]"
    with raises("E-config-class-weights", "class_weight holds 20 weights, .* has 19 classes"):
        for_training(config.load_config(path, [option]))
    for_training(config.load_config(path, [option, "model.decode_head.loss_decode.loss_name=loss_cls_ce"]))


@pytest.mark.parametrize("num_classes", [3, 18])  # 18: one class fewer than weights
def test_class_weights_for_other_classes_are_removed_and_named(tmp_path, caplog, num_classes):
    cfg = config.load_config(
        STOCK_CONFIGS / "cgnet/cgnet_fcn_4xb4-60k_cityscapes-680x680.py",
        data=write_dataset_file(tmp_path, [f"class {i}" for i in range(num_classes)]),
    )
    assert cfg.model.decode_head.loss_decode.class_weight is None
    assert "model.decode_head.loss_decode.class_weight (19 numbers)" in caplog.text


def test_class_weights_that_have_the_right_number_stay_and_are_named(tmp_path, caplog):
    path = STOCK_CONFIGS / "cgnet/cgnet_fcn_4xb4-60k_cityscapes-680x680.py"
    cfg = config.load_config(path, data=write_dataset_file(tmp_path, [f"class {i}" for i in range(19)]))
    assert len(cfg.model.decode_head.loss_decode.class_weight) == 19
    assert (
        "model.decode_head.loss_decode.class_weight stays as it is: 19 numbers, made for other classes" in caplog.text
    )


def test_heads_inside_a_head_count_the_classes_too(tmp_path):
    path = STOCK_CONFIGS / "knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py"
    head = config.load_config(path, data=write_dataset_file(tmp_path)).model.decode_head
    inner_heads = head.kernel_update_head
    assert [head.kernel_generate_head.num_classes, *(inner.num_classes for inner in inner_heads)] == [3] * 4
    assert [inner.out_channels for inner in inner_heads] == [512] * 3  # a width, not a number of classes


def test_a_text_encoder_reads_the_names_of_the_classes(tmp_path):
    model = config.load_config(
        STOCK_CONFIGS / "san/san-vit-b16_coco-stuff164k-640x640.py", data=write_dataset_file(tmp_path)
    ).model
    assert (model.text_encoder.dataset_name, model.text_encoder.vocabulary) == (None, ["sand", "water", "boat"])
    assert model.decode_head.loss_decode[0].class_weight == [1.0, 1.0, 1.0, 0.1]


def test_a_head_with_one_output_gets_one_for_each_class(tmp_path):
    head = "dict(num_classes=2, out_channels=1, threshold=0.3, loss_decode=dict(use_sigmoid=True))"
    path = write_config(tmp_path, f"model = dict(decode_head={head})")
    head = config.load_config(path, data=write_dataset_file(tmp_path)).model.decode_head
    assert "out_channels" not in head
    assert "threshold" not in head
    assert (head.num_classes, head.loss_decode.use_sigmoid) == (3, False)


def test_masks_of_a_dataset_file_are_ignored_at_255_whatever_the_head_ignored(tmp_path, caplog):
    path = write_config(tmp_path, "model = dict(decode_head=dict(ignore_index=0))")
    assert config.load_config(path, data=write_dataset_file(tmp_path)).model.decode_head.ignore_index == 255
    assert "model.decode_head.ignore_index is 255 instead of 0" in caplog.text


def test_a_model_that_predicts_no_classes_takes_no_dataset_file(tmp_path):
    with raises("E-config-no-classes", r"dataset\.yaml .*model\.type 'DepthEstimator'"):
        config.load_config(STOCK_CONFIGS / "vpd/vpd_sd_4xb8-25k_nyu-480x480.py", data=write_dataset_file(tmp_path))


@pytest.mark.parametrize(
    ("loss", "fitting"),
    [
        ("class_weight=[2.0] * 19", [2, 2, 2]),
        ("loss_name='loss_cls_ce', class_weight=[1.0] * 19 + [0.1]", [1, 1, 1, 0.1]),
        ("class_weight=[1.0] * 19 + [0.1]", None),  # scores per pixel have no weight for "no object"
    ],
)
def test_equal_class_weights_follow_the_number_of_classes(tmp_path, loss, fitting):
    path = write_config(tmp_path, f"model = dict(decode_head=dict(loss_decode=dict({loss})))")
    cfg = for_training(config.load_config(path, data=write_dataset_file(tmp_path)))
    assert cfg.model.decode_head.loss_decode.class_weight == fitting


def test_a_head_of_another_task_keeps_its_count(tmp_path):
    cfg = Config.fromfile(STOCK_CONFIGS / "stdc/stdc1_4xb12-80k_cityscapes-512x1024.py")
    config_classes.check_classes(cfg, tmp_path)
    config_classes.check_training(cfg)
    use_dataset_files(cfg, [write_dataset_file(tmp_path)])
    assert [head.num_classes for head in cfg.model.auxiliary_head] == [3, 3, 2]  # the last one predicts edges


def test_an_unknown_dataset_type_names_the_nearest(tmp_path):
    path = write_config(tmp_path, "train_dataloader = dict(dataset=dict(type='CityscapeDataset'))")
    with raises("E-config-dataset-type", "'CityscapeDataset'; did you mean 'CityscapesDataset'"):
        config.load_config(path)
    path = write_config(tmp_path, "train_dataloader = dict(dataset=dict(type='Qq'))")
    with raises("E-config-dataset-type", r"'Qq'; .* dataset\.yaml .*`data`"):
        config.load_config(path)


def test_training_and_validation_have_the_same_classes(tmp_path):
    data = write_dataset_file(tmp_path)
    text = f"""val_dataloader = dict(dataset=dict(_delete_=True, type='FolderSegDataset', split='val',
                                  dataset_file={str(data)!r}, pipeline=[]))"""
    cfg = config.load_config(write_config(tmp_path, text))
    with raises("E-config-classes", r"CityscapesDataset, which trains, .*dataset\.yaml, which validates, "):
        for_training(cfg)


def test_a_config_is_loaded_for_inference_without_its_dataset_file(tmp_path):
    data = write_dataset_file(tmp_path)
    text = f"""model = dict(decode_head=dict(num_classes=3), auxiliary_head=dict(num_classes=3))
train_dataloader = dict(dataset=dict(_delete_=True, type='FolderSegDataset', split='train',
                        dataset_file={str(data)!r}, pipeline=[]))"""
    path = write_config(tmp_path, text)
    config.load_config(path)
    data.unlink()
    assert num_classes_of(config.load_config(path).model) == [3, 3]


def test_a_checkpoint_of_other_classes_is_refused_with_the_option(tmp_path):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, ["road", "sky", "boat"]))
    checkpoint = write_checkpoint(tmp_path)
    message = r"model\.pth and .*dataset\.yaml have other classes: only the first has sidewalk, .* second has boat;"
    with pytest.raises(ValueError, match=message) as caught:
        for_testing(cfg, checkpoint)
    assert "`map_path` FILE" in str(caught.value)
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, labels.CITYSCAPES.classes[::-1]))
    with pytest.raises(ValueError, match="have other classes: the same names in another order; map them"):
        for_testing(cfg, checkpoint)
    with pytest.raises(ValueError, match="only the second has boat"):  # as MMSegmentation 0.x wrote them
        for_testing(
            config.load_config(RECIPE, data=write_dataset_file(tmp_path, ["boat"])),
            write_checkpoint(tmp_path, CLASSES=["sand"]),
        )


def test_a_checkpoint_of_the_same_classes_or_without_names_is_taken(tmp_path):
    cfg = config.load_config(RECIPE)
    for_testing(cfg, write_checkpoint(tmp_path))
    for_testing(cfg, write_checkpoint(tmp_path, iter=3))


def test_a_map_translates_many_classes_to_one(tmp_path):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, ["road", "ground", "boat"]))
    checkpoint = write_checkpoint(tmp_path, ["sky", "road", "sidewalk", "terrain"])
    map_path = tmp_path / "map.yaml"
    map_path.write_text("sidewalk: ground\nterrain: ground\nsky: ignore\n")  # road stays road
    finished = for_testing(cfg, checkpoint, map_path=map_path)
    assert {"type": "ClassMapHook", "train_ids": [255, 0, 1, 1]} in finished.custom_hooks
    assert num_classes_of(finished.model) == [4, 4]
    assert num_classes_of(cfg.model) == [3, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raod: road\n", r"map\.yaml: the model has no class 'raod'; did you mean 'road'\?"),
        ("sky: boot\n", r"map\.yaml: .*dataset\.yaml has no class 'boot'; did you mean 'boat'\?"),
        ("sky: zebra\n", r"has no class 'zebra'; it has road, boat, ignore"),
        ("", r"map\.yaml has no line for sky; map it to a class, or to ignore"),
        ("- sky\n", r"map\.yaml: expected lines of 'class of the model: class of the data set', or ignore"),
        ("sky: 3\n", r"map\.yaml: expected lines of"),
        ("sky: [\n", r"map\.yaml is not YAML"),
    ],
)
def test_a_map_with_a_mistake_is_refused(tmp_path, text, message):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, ["road", "boat"]))
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        for_testing(cfg, write_checkpoint(tmp_path, ["sky", "road"]), map_path=tmp_path / "map.yaml")


def test_a_map_needs_a_file_and_names(tmp_path):
    cfg = config.load_config(RECIPE, data=write_dataset_file(tmp_path, ["road", "boat"]))
    with pytest.raises(FileNotFoundError, match=r"`map_path`: no file none\.yaml"):
        for_testing(cfg, write_checkpoint(tmp_path), map_path="none.yaml")
    (tmp_path / "map.yaml").touch()
    with pytest.raises(ValueError, match=r"`map_path`: .*model\.pth does not list its classes"):
        for_testing(cfg, write_checkpoint(tmp_path, iter=3), map_path=tmp_path / "map.yaml")
