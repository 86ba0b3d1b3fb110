import numpy as np
import pytest
import yaml
from mmcv.transforms import LoadImageFromFile
from mmseg.registry import TRANSFORMS
from PIL import Image

import semseg.plugins  # noqa: F401
from semseg.datasets.transforms import LoadTrainIds
from semseg.labels import CITYSCAPES
from tests.conftest import raises

MASK = np.array([[0, 1, 2, 255], [18, 5, 5, 0]], np.uint8)


def results_for(path, **more):
    return {
        "seg_map_path": str(path),
        "label_map": None,
        "reduce_zero_label": False,
        "seg_fields": [],
        **more,
    }


def save(path, array, mode=None, **how):
    image = Image.fromarray(np.asarray(array))
    (image.convert(mode) if mode else image).save(path, **how)
    return path


def load(path, num_classes=19, **more):
    return LoadTrainIds(num_classes)(results_for(path, **more))


@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.parametrize("label_map", [None, {0: 1, 1: 0, 2: 255, 5: 2}, {0: 5, 5: 0, 18: 255}])
@pytest.mark.parametrize("reduce_zero_label", [False, True])
def test_train_ids_arrive_as_with_the_stock_loader(tmp_path, mode, label_map, reduce_zero_label):
    path = save(tmp_path / "m.png", MASK, mode)
    more = {"label_map": label_map, "reduce_zero_label": reduce_zero_label}
    stock = TRANSFORMS.build({"type": "mmseg.LoadAnnotations"})(results_for(path, **more))
    ours = load(path, **more)
    assert (ours["gt_seg_map"] == stock["gt_seg_map"]).all()
    assert ours["gt_seg_map"].dtype == stock["gt_seg_map"].dtype == np.uint8
    assert ours["seg_fields"] == stock["seg_fields"] == ["gt_seg_map"]


def test_sixteen_bits_are_fine_as_long_as_the_values_are(tmp_path):
    assert (load(save(tmp_path / "m.png", MASK.astype(np.uint16)))["gt_seg_map"] == MASK).all()
    path = save(tmp_path / "m.png", MASK.astype(np.uint16) + 300)
    with raises("E-data-mask-values", r"m\.png .*0\.\.255: \{300: 2 px, 305: 2 px"):
        load(path)


def test_an_image_without_annotation_passes():
    assert LoadTrainIds()({"img": None}) == {"img": None}


def test_label_ids_of_cityscapes_are_recognised(tmp_path):
    path = save(tmp_path / "m.png", np.array([[7, 7, 26, 33, 33, 33]], np.uint8))
    values = r"0\.\.18 and 255: \{33: 3 px, 26: 1 px\}; .*label ids: run tools/convert_datasets/cityscapes\.py$"
    with raises("E-data-mask-values", f"^{path} .*{values}"):
        load(path)


def test_other_values_ask_for_a_label_map(tmp_path):
    path = save(tmp_path / "m.png", np.array([[0, 1, 2, 77]], np.uint8))
    with raises("E-data-mask-values", r"0\.\.1 and 255: \{2: 1 px, 77: 1 px\}; .*dataset\.yaml"):
        load(path, num_classes=2)
    assert load(path, num_classes=None)["gt_seg_map"].max() == 77  # the number of classes is unknown


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_coloured_masks_are_refused_with_two_ways_out(tmp_path, mode):
    path = save(tmp_path / "m.png", np.array([[[9, 9, 9], [0, 0, 0]]], np.uint8), mode)
    values = rf"m\.png is {mode} with 2 colours, .*dataset\.yaml .*encoding: rgb, .*tools/dataset\.py import colors"
    with raises("E-data-encoding", values):
        load(path)


def test_a_mask_of_another_size_is_refused(tmp_path):
    path = save(tmp_path / "m.png", MASK)
    assert load(path, ori_shape=(2, 4))["gt_seg_map"].shape == (2, 4)
    with raises("E-data-size", r"m\.png is 4x2, its image a\.jpg is 8x4"):
        load(path, ori_shape=(4, 8), img_path="a.jpg")
    with raises("E-data-size", r"is 4x2, its image a\.jpg is 2x4; .*exif: ignore"):
        load(path, ori_shape=(4, 2), img_path="a.jpg")


def write_rules(folder, **more):
    content = {"splits": {"train": {"images": ".", "masks": "."}}, "encoding": "rgb", "classes": "cityscapes"}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content | more))
    return str(folder / "dataset.yaml")


def test_masks_of_a_dataset_file_are_decoded_by_its_rules(tmp_path):
    palette = np.array(CITYSCAPES.palette, np.uint8)
    path = save(tmp_path / "m.png", palette[[[0, 5], [18, 2]]])
    loaded = load(path, num_classes=None, dataset_file=write_rules(tmp_path), ori_shape=(2, 2))
    assert loaded["gt_seg_map"].tolist() == [[0, 5], [18, 2]]
    save(path, palette[[[0, 5]]] + 1)
    with raises("E-data-mask-values", r"m\.png holds 2 colours"):
        load(path, dataset_file=write_rules(tmp_path))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_have_the_same_orientation_in_training_and_in_inference(tmp_path, orientation):
    from semseg.datasets.image_files import read_image
    from semseg.inference.reading import read_image as read_for_inference

    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = np.zeros((16, 24, 3), np.uint8)
    picture[:8, :8], picture[:8, 16:] = (255, 0, 0), (0, 0, 255)
    for suffix in ("jpg", "png"):
        path = save(tmp_path / f"{orientation}.{suffix}", picture, exif=exif)
        loader = LoadImageFromFile()
        trained = loader({"img_path": str(path)})["img"][:, :, ::-1]
        assert (trained == read_image(path)).all()
        assert np.abs(trained.astype(int) - read_for_inference(path)).max() < 8  # two decoders
        loader = LoadImageFromFile(color_type="color_ignore_orientation")
        stored = loader({"img_path": str(path)})["img"][:, :, ::-1]
        assert stored.shape == (16, 24, 3)
        assert (stored == read_image(path, "ignore")).all()
