"""Explain the predictions of a small model with random weights for a picture of noise."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from semseg.analysis.class_activation import explain_score
from semseg.analysis.explain import explain
from semseg.config import for_inference
from semseg.inference import Predictor
from semseg.inference.probabilities import entropy, kind_of_scores, margin, to_probabilities
from tests.checkpoints.described import checkpoint, save, small_config
from tests.conftest import raises

pytestmark = pytest.mark.slow

FILES = {"prediction.jpg", "probabilities.png", "entropy.png", "margin.png", "grad_cam.png"}
PLAIN_HEAD = dict(
    type="FCNHead",
    in_channels=8,
    in_index=2,
    channels=8,
    num_convs=0,
    concat_input=False,
    num_classes=19,
    norm_cfg=dict(type="SyncBN"),
    align_corners=False,
)


def predictor_of(folder, head=None, test_cfg=None, classes=None, **model):
    """A model in the shape of the toy PSPNet; `head` changes keys of its decode head, or is another one."""
    cfg = small_config()
    if head and "type" in head:
        cfg.model.decode_head = head
    elif head:
        cfg.model.decode_head.update(head)
    for key, value in model.items():  # update() would merge them
        cfg.model[key] = value
    cfg.model.test_cfg = test_cfg or cfg.model.test_cfg
    if classes:
        cfg.model.auxiliary_head.num_classes = len(classes)
    content = checkpoint(cfg)
    for name, weights in content["state_dict"].items():
        # as lively as those of a trained model: with the initial ones everything is next to nothing
        if "conv_seg.weight" in name:
            weights.normal_(generator=torch.Generator().manual_seed(1))
        elif weights.ndim == 1 and name.endswith("weight"):  # of a batch norm
            weights.fill_(2.5)
    if classes:
        content["meta"]["dataset_meta"] = {"classes": classes, "palette": [[0, 0, 0], [255, 255, 255]]}
        del content["meta"]["semseg"]
    path = save(folder / "model.pth", content)
    return Predictor(for_inference(cfg, path), path, "cpu")


@pytest.fixture(scope="module")
def pspnet(tmp_path_factory):
    return predictor_of(tmp_path_factory.mktemp("pspnet"))


@pytest.fixture(scope="module")
def image():
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (256, 192), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def image_path(tmp_path, image):
    Image.fromarray(image).save(tmp_path / "street.png")
    return tmp_path / "street.png"


SLIDE = dict(mode="slide", crop_size=(48, 48), stride=(32, 32))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("softmax", {}),
        ("softmax", {"test_cfg": SLIDE}),
        ("sigmoid", {"head": {"loss_decode": dict(type="FocalLoss", use_sigmoid=True)}}),
        ("sigmoid", {"head": {"loss_decode": dict(type="CrossEntropyLoss", use_sigmoid=True)}}),
        ("softmax", {"head": {"loss_decode": [dict(type="CrossEntropyLoss"), dict(type="DiceLoss")]}}),
    ],
)
def test_probabilities_sum_to_1_and_the_most_probable_class_is_the_predicted_one(tmp_path, image, kind, options):
    predictor = predictor_of(tmp_path, **options)
    assert kind_of_scores(predictor.model) == kind
    scores, train_ids = predictor.scores(image)
    probabilities = to_probabilities(scores.clone(), kind)
    assert probabilities.shape == (19, *image.shape[:2])
    assert np.abs(probabilities.sum(axis=0) - 1).max() < 1e-5
    assert (probabilities.argmax(axis=0) == train_ids).mean() > 0.9999  # ties by rounding
    assert len(np.unique(train_ids)) > 1
    assert (train_ids == predictor(image)).all()
    if kind == "softmax":
        torch.testing.assert_close(torch.from_numpy(probabilities), scores.softmax(dim=0))


def test_one_channel_decides_between_two_classes_at_its_threshold(tmp_path, image, image_path):
    head = dict(
        num_classes=2, out_channels=1, threshold=0.4, loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=True)
    )
    predictor = predictor_of(tmp_path, head, classes=("ground", "thing"))
    assert kind_of_scores(predictor.model) == "binary"
    scores, train_ids = predictor.scores(image)
    probabilities = to_probabilities(scores, "binary")
    assert np.abs(probabilities.sum(axis=0) - 1).max() < 1e-6
    assert ((probabilities[1] > 0.4) == train_ids).all()
    region = np.ones(image.shape[:2], bool)
    against, in_favour = (explain_score(predictor, image, i, region).hires_cam for i in (0, 1))
    assert against.any()
    assert in_favour.any()
    assert (against * in_favour).max() < 0.3  # what speaks for one does not speak for the other
    account = explain(predictor, image_path, tmp_path / "out", "thing")
    assert {entry["class"] for entry in account["region"]["top"]} == {"ground", "thing"}


def test_entropy_and_margin_of_known_pixels():
    pixels = np.array([[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0], [0.1, 0.6, 0.2, 0.1]], np.float32)
    probabilities = pixels.T[:, None, :]  # classes, 1, pixels
    expected = -(0.6 * np.log(0.6) + 0.2 * np.log(0.2) + 0.2 * np.log(0.1)) / np.log(4)
    assert entropy(probabilities)[0] == pytest.approx([0, 1, 0.5, expected], abs=1e-6)
    assert margin(probabilities)[0] == pytest.approx([1, 0, 0, 0.4], abs=1e-6)


def test_the_maps_are_those_of_the_features_before_the_decode_head(tmp_path, image):
    """A head of one 1 x 1 convolution: both maps can be written down."""
    predictor = predictor_of(tmp_path, PLAIN_HEAD)
    model = predictor.model
    with torch.no_grad():
        inputs = model.data_preprocessor(predictor.batch(image), False)["inputs"]
        features = model.extract_feat(inputs)[2]
        speaks = (model.decode_head.conv_seg.weight[7] * features[0]).sum(dim=0).clamp(min=0).numpy()
    speaks = cv2.resize(speaks, tuple(inputs.shape[:1:-1]))
    expected = cv2.resize((speaks - speaks.min()) / np.ptp(speaks), (image.shape[1], image.shape[0]))

    region = (expected == expected.max()).astype(np.uint8)
    region = cv2.dilate(region, np.ones((41, 41)))
    found = explain_score(predictor, image, 7, region.astype(bool))
    assert found.layer == "backbone, output 2"
    assert np.abs(found.grad_cam - expected).max() < 1e-3
    assert found.hires_cam[region == 1].max() > 0.9
    # features and bilinear weights reach a little further than the region
    assert not found.hires_cam[cv2.dilate(region, np.ones((81, 81))) == 0].any()


def test_a_head_with_context_sees_beyond_the_region(pspnet, image):
    region = np.zeros(image.shape[:2], bool)
    region[:16, :16] = True
    asked = int(pspnet(image)[0, 0])
    assert explain_score(pspnet, image, asked, region).hires_cam[96:, 128:].any()


def test_necks_and_cascades_have_a_layer_too(tmp_path, image):
    region = np.ones(image.shape[:2], bool)
    neck = dict(type="FPN", in_channels=[2, 4, 8], out_channels=8, num_outs=3)
    head = {
        **PLAIN_HEAD,
        "in_index": [0, 1, 2],
        "in_channels": [8, 8, 8],
        "channels": 24,
        "input_transform": "resize_concat",
    }
    predictor = predictor_of(tmp_path, head, neck=neck, auxiliary_head=None)
    assert explain_score(predictor, image, 1, region).layer == "neck, output 2"

    heads = [
        dict(PLAIN_HEAD),
        {**PLAIN_HEAD, "type": "OCRHead", "ocr_channels": 4, "channels": 4, "in_index": 1, "in_channels": 4},
    ]
    for key in ("num_convs", "concat_input"):
        del heads[1][key]
    predictor = predictor_of(tmp_path, None, type="CascadeEncoderDecoder", num_stages=2, decode_head=heads)
    found = explain_score(predictor, image, 1, region)
    assert found.layer == "backbone, output 2"
    assert found.grad_cam.shape == image.shape[:2]


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (
            dict(type="BEiT", qv_bias=True, init_values=0.1),
            r"does not accept \d+ x \d+ pixels",
        ),
        (dict(type="VisionTransformer", output_cls_token=True), "output 0 of the backbone"),
    ],
)
def test_features_that_grad_cam_cannot_use_are_refused(tmp_path, image, backbone, message):
    small = dict(img_size=(48, 48), patch_size=16, embed_dims=8, num_layers=1, num_heads=2, out_indices=(0,))
    predictor = predictor_of(
        tmp_path, {**PLAIN_HEAD, "in_index": 0}, SLIDE, backbone={**small, **backbone}, auxiliary_head=None
    )
    with raises("E-input-grad-cam", message):
        explain_score(predictor, image, 1, np.ones(image.shape[:2], bool))


def test_a_model_without_a_score_per_class_is_refused():
    with pytest.raises(ValueError, match=r"Identity does not score every class at every pixel; expected an EncoderD"):
        kind_of_scores(torch.nn.Identity())


def test_all_files_are_written_and_the_numbers_are_right(pspnet, image_path, tmp_path):
    out_dir = tmp_path / "out"
    account = explain(pspnet, image_path, out_dir, region=(10, 20, 100, 50))
    assert json.loads((out_dir / "explain.json").read_text()) == account
    assert {str(path.relative_to(out_dir)) for path in out_dir.rglob("*.*")} == {*account["files"], "explain.json"}
    assert set(account["files"]) > FILES

    predicted = pspnet(np.asarray(Image.open(image_path)))
    shares = np.bincount(predicted.ravel(), minlength=19) / predicted.size
    assert [entry["predicted_share"] for entry in account["classes"]] == pytest.approx(shares, abs=1e-6)
    assert sum(entry["mean_probability"] for entry in account["classes"]) == pytest.approx(1, abs=1e-4)
    region = account["region"]
    assert (region["box"], region["meaning"]) == ([10, 20, 100, 50], "box")
    assert region["share_of_picture"] == pytest.approx(100 * 50 / predicted.size, abs=1e-6)
    assert account["grad_cam"]["class"] == region["top"][0]["class"]
    index = pspnet.classes.index(region["top"][0]["class"])
    grey = np.asarray(
        Image.open(out_dir / f"probability/{index:02d}_{region['top'][0]['class'].replace(' ', '_')}.png")
    )
    assert grey.shape == predicted.shape
    assert grey[20:70, 10:110].mean() / 255 == pytest.approx(region["top"][0]["mean_probability"], abs=0.003)


def test_without_a_region_it_is_where_the_class_is_predicted_or_most_probable(pspnet, image_path, image, tmp_path):
    shares = np.bincount(pspnet(image).ravel(), minlength=19) / image[..., 0].size
    absent = int(shares.argmin())
    assert shares[absent] == 0
    stale = tmp_path / "out/probability/99_other.png"
    stale.parent.mkdir(parents=True)
    stale.touch()
    account = explain(pspnet, image_path, tmp_path / "out", pspnet.classes[absent])
    assert account["region"]["meaning"] == "most probable 1 %, as it is predicted nowhere"
    assert account["region"]["share_of_picture"] == pytest.approx(0.01, abs=0.002)
    assert not stale.exists()

    account = explain(pspnet, image_path, tmp_path / "out")
    margins = {
        entry["class"]: entry["mean_margin_where_predicted"]
        for entry in account["classes"]
        if entry["predicted_share"] >= 0.01
    }
    assert account["grad_cam"]["class"] == min(margins, key=margins.get)
    assert account["region"]["meaning"] == "predicted as the class"


def test_wrong_inputs_say_what_was_expected(pspnet, image_path, tmp_path, monkeypatch):
    def ask(*args):
        explain(pspnet, image_path, tmp_path / "out", *args)

    with raises("E-input-class", "'motorcicle' .*'motorcycle'"):
        ask("motorcicle")
    with raises("E-input-class", "'zzz' .*road, sidewalk"):
        ask("zzz")
    with raises("E-input-range", "`region` 200,0,100,50 .*256 wide and 192 high"):
        ask(None, (200, 0, 100, 50))
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with raises("E-input-package", r"grad-cam, .*pip install -e '\.\[explain\]'"):
        ask()
    monkeypatch.undo()
    image_path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"street\.png: not a readable image"):
        ask()
    assert not (tmp_path / "out").exists()
