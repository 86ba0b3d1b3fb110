"""Predictions from bands, views and windows, compared with MMSegmentation's own on whole images."""

import numpy as np
import pytest
import torch
from mmseg.models.segmentors import BaseSegmentor
from mmseg.registry import MODELS

from semseg.config import for_inference
from semseg.inference import Predictor
from semseg.inference.prediction import Prediction
from semseg.inference.row_bands import resize_bands
from tests.checkpoints.described import checkpoint, save, small_config
from tests.conftest import raises
from tests.inference.lively import make_lively, picture

ROUNDING = 5e-5  # share of the pixels where two classes have nearly equal scores


def predictor_of(folder, model=None, pipeline=None, **options):
    """A small PSPNet of random weights; `model` and `pipeline` change its config."""
    cfg = small_config()
    for key, value in (model or {}).items():
        cfg.model[key] = value
    content = lively_checkpoint(cfg)
    if pipeline is not None:
        cfg.test_dataloader.dataset.pipeline = pipeline
    path = save(folder / "model.pth", content)
    return Predictor(for_inference(cfg, path), path, "cpu", **options)


def lively_checkpoint(cfg):
    """Return the content of a checkpoint of a lively model."""
    content = checkpoint(cfg)
    model = MODELS.build(cfg.copy().model).eval()
    make_lively(model)
    return {**content, "state_dict": model.state_dict()}


def assert_same(found, expected):
    """Assert that train ids are equal except for ties, and have several classes."""
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert len(np.unique(expected)) > 2
    assert (found != expected).mean() <= ROUNDING


SMALLER = [
    dict(type="LoadImageFromFile"),
    dict(type="Resize", scale=(160, 90), keep_ratio=True),
    dict(type="PackSegInputs"),
]
AS_IT_IS = [dict(type="LoadImageFromFile"), dict(type="PackSegInputs")]
PADDED = dict(
    type="SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(64, 128),
    test_cfg=dict(size_divisor=64),
)
SLIDE = dict(mode="slide", crop_size=(96, 96), stride=(64, 64))


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        {},
        {"pipeline": AS_IT_IS},
        {"pipeline": SMALLER},
        {"pipeline": SMALLER, "model": {"data_preprocessor": PADDED}},
        {"pipeline": AS_IT_IS, "model": {"test_cfg": SLIDE}},
        {"pipeline": SMALLER, "model": {"test_cfg": SLIDE, "data_preprocessor": PADDED}},
        {"pipeline": AS_IT_IS, "model": {"align_corners": True}},
    ],
    ids=str,
)
def test_bands_predict_the_same_as_mmsegmentation(tmp_path, case):
    case = {key: dict(value) if key == "model" else value for key, value in case.items()}
    align_corners = case.get("model", {}).pop("align_corners", None)
    predictor = predictor_of(tmp_path, **case)
    if align_corners:
        predictor.model.align_corners = predictor.model.decode_head.align_corners = True
    for size in ((150, 201), (331, 256)):
        image = picture(*size)
        (found,) = predictor.predict([image])
        assert_same(found.train_ids, predictor(image))
        assert found.confidence is None
        assert found.probabilities is None


def test_confidence_and_probabilities_are_those_of_the_scores(tmp_path):
    predictor = predictor_of(tmp_path)
    image = picture(150, 201)
    (found,) = predictor.predict([image], confidence=True, probabilities=True)
    scores, train_ids = predictor.scores(image)
    expected = scores.softmax(dim=0).numpy()
    assert found.probabilities.dtype == np.float16
    assert np.abs(found.probabilities - expected).max() < 1e-3
    assert found.confidence.dtype == np.float32
    assert np.abs(found.confidence - expected.max(axis=0)).max() < 1e-5
    assert_same(found.train_ids, train_ids)


def one_channel_checkpoint(cfg):
    """Return the content of a checkpoint of two classes, of which one channel decides. Modifies `cfg`."""
    loss = dict(type="CrossEntropyLoss", use_sigmoid=True)
    head = dict(cfg.model.decode_head, num_classes=2, out_channels=1, threshold=0.4, loss_decode=loss)
    cfg.model.decode_head, cfg.model.auxiliary_head.num_classes = head, 2
    content = lively_checkpoint(cfg)
    content["meta"]["dataset_meta"] = {"classes": ("floor", "wall"), "palette": [[0, 0, 0], [255, 255, 255]]}
    del content["meta"]["semseg"]
    return content


def test_one_channel_decides_between_two_classes(tmp_path):
    cfg = small_config()
    content = one_channel_checkpoint(cfg)
    path = save(tmp_path / "model.pth", content)
    predictor = Predictor(for_inference(cfg, path), path, "cpu")
    image = picture(128, 256)
    (found,) = predictor.predict([image], confidence=True, probabilities=True)
    assert set(np.unique(found.train_ids)) == {0, 1}
    assert (found.train_ids != predictor(image)).mean() <= ROUNDING
    assert np.allclose(found.probabilities.astype(float).sum(axis=0), 1, atol=2e-3)
    assert np.abs(found.confidence - found.probabilities.max(axis=0)).max() < 1e-3


def test_images_of_one_size_are_a_batch_and_others_are_refused(tmp_path):
    predictor = predictor_of(tmp_path)
    images = [picture(128, 256, seed) for seed in range(3)]
    together = predictor.predict(images)
    assert all(isinstance(found, Prediction) for found in together)
    for image, found in zip(images, together, strict=True):
        assert_same(found.train_ids, predictor(image))
    assert predictor.predict([]) == []
    with raises("E-input-sizes", r"2 sizes \(height, width\): \[\(100, .*\]"):
        predictor.predict([images[0], images[0][:100]])
    with raises("E-input-image", r"float32 \(4, 4, 3\); expected uint8"):
        predictor.predict([np.zeros((4, 4, 3), np.float32)])


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("old", "new"), [((8, 16), (64, 128)), ((9, 7), (41, 30)), ((40, 30), (7, 11)), ((5, 5), (5, 9))]
)
def test_resizing_in_bands_equals_resizing_at_once(align_corners, old, new):
    scores = torch.randn(2, 3, *old, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.interpolate(scores, new, mode="bilinear", align_corners=align_corners)
    for cut, num_rows in ((old[0], 5), (2, 3), (3, new[0])):
        bands = list(resize_bands(scores.split(cut, dim=2), old, new, align_corners, num_rows))
        assert {band.shape[2] for band in bands[:-1]} <= {num_rows}
        assert torch.allclose(torch.cat(bands, dim=2), expected, atol=1e-5)


def flipped(predictor, image):
    """MMSegmentation's scores of the mirror image, mirrored back."""
    scores, _ = predictor.scores(np.ascontiguousarray(image[:, ::-1]))
    return scores.softmax(dim=0).flip(2)


def test_flip_averages_with_the_mirror_image(tmp_path):
    plain, predictor = predictor_of(tmp_path), predictor_of(tmp_path, tta="flip")
    image = picture(128, 256)
    expected = (plain.scores(image)[0].softmax(dim=0) + flipped(plain, image)) / 2
    (found,) = predictor.predict([image], confidence=True, probabilities=True)
    assert np.abs(found.probabilities - expected.numpy()).max() < 2e-3
    assert_same(found.train_ids, expected.argmax(dim=0).to(torch.uint8).numpy())
    assert (found.train_ids != plain(image)).any()


@pytest.mark.slow
def test_scales_are_averaged(tmp_path):
    image = picture(120, 240)
    views = []
    for scale in (0.5, 1.0):
        resize = dict(type="Resize", scale_factor=scale, keep_ratio=True)
        plain = predictor_of(tmp_path, pipeline=[AS_IT_IS[0], resize, AS_IT_IS[1]])
        views += [plain.scores(image)[0].softmax(dim=0), flipped(plain, image)]
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS, tta="flip,0.5,1")
    (found,) = predictor.predict([image], probabilities=True)
    expected = torch.stack(views).mean(dim=0).numpy()
    assert np.abs(found.probabilities - expected).max() < 2e-3
    assert_same(found.train_ids, expected.argmax(axis=0).astype(np.uint8))


@pytest.mark.parametrize("tta", ["", "flop", "flip,0", "1,-1", "nan"])
def test_other_views_are_refused(tmp_path, tta):
    with raises("E-input-views", f"`tta` {tta!r}"):
        predictor_of(tmp_path, tta=tta)


def limit_memory(predictor, most_pixels):
    """Make the backbone run out of memory with more pixels than `most_pixels` at a time."""

    def look(module, inputs):
        if inputs[0].shape[0] * inputs[0].shape[2] * inputs[0].shape[3] > most_pixels:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    predictor.model.backbone.register_forward_pre_hook(look)


def test_without_memory_for_all_images_fewer_are_segmented_at_a_time(tmp_path):
    heard = []
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS, on_note=heard.append)
    images = [picture(128, 256, seed) for seed in range(5)]
    expected = [predictor(image) for image in images]
    limit_memory(predictor, 2 * 128 * 256)
    for _ in range(2):
        for found, train_ids in zip(predictor.predict(images), expected, strict=True):
            assert_same(found.train_ids, train_ids)
    assert heard == predictor.notes
    assert heard[1:] == ["out of memory with images of 256 x 128: they go on 2 at a time"]


def test_a_single_image_after_a_batch_can_run_out_of_memory(tmp_path):
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS)
    images = [picture(260, 512, seed) for seed in range(4)]
    limit_memory(predictor, 2 * 260 * 512)
    assert len(predictor.predict(images)) == 4  # two at a time
    limit_memory(predictor, 256 * 256)
    (prediction,) = predictor.predict(images[:1])
    assert prediction.train_ids.shape == (260, 512)
    assert predictor.notes[-1].endswith("one by one in tiles of 256 x 256")


def test_without_memory_for_one_image_it_is_cut_into_tiles(tmp_path):
    predictor = predictor_of(tmp_path, pipeline=AS_IT_IS)
    images = [picture(260, 512, seed) for seed in range(2)]
    expected = [predictor(image) for image in images]
    limit_memory(predictor, 256 * 256)
    for found, train_ids in zip(predictor.predict(images), expected, strict=True):
        assert (found.train_ids == train_ids).mean() > 0.5  # its context is smaller
    assert predictor.notes[1:] == [
        "out of memory with images of 512 x 260: they go on one by one in tiles of 256 x 256"
    ]
    limit_memory(predictor, 100)
    with pytest.raises(torch.OutOfMemoryError):
        predictor.predict(images)


def test_other_errors_of_the_model_are_not_hidden(tmp_path):
    predictor = predictor_of(tmp_path)

    def fail(*_):
        raise RuntimeError("sizes of tensors must match")

    predictor.model.backbone.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="sizes of tensors must match"):
        predictor.predict([picture(64, 64)] * 2)


@MODELS.register_module()
class SegmentorWithoutParts(BaseSegmentor):
    """A segmentor with only the methods that MMSegmentation requires."""

    def __init__(self, inner, data_preprocessor):
        super().__init__(data_preprocessor)
        self.inner = MODELS.build(inner)

    def loss(self, inputs, data_samples):
        return self.inner.loss(inputs, data_samples)

    def predict(self, inputs, data_samples=None):
        return self.inner.predict(inputs, data_samples)

    def _forward(self, inputs, data_samples=None):
        return self.inner._forward(inputs, data_samples)

    def extract_feat(self, inputs):
        return self.inner.extract_feat(inputs)

    def encode_decode(self, inputs, batch_data_samples):
        return self.inner.encode_decode(inputs, batch_data_samples)


def test_a_segmentor_that_is_no_encoder_decoder_predicts_whole_images(tmp_path):
    inside = predictor_of(tmp_path)
    cfg = small_config()
    content = lively_checkpoint(cfg)
    content["state_dict"] = {f"inner.{key}": value for key, value in content["state_dict"].items()}
    preprocessor = cfg.model.pop("data_preprocessor")
    cfg.model = dict(type="SegmentorWithoutParts", inner=cfg.model, data_preprocessor=preprocessor)
    path = save(tmp_path / "wrapped.pth", content)
    predictor = Predictor(for_inference(cfg, path), path, "cpu")
    images = [picture(100, 180), picture(100, 180, seed=1)]
    for found, expected in zip(predictor.predict(images), inside.predict(images), strict=True):
        assert_same(found.train_ids, expected.train_ids)
    assert not predictor.has_probabilities
    with raises("E-input-model", "`tta`: SegmentorWithoutParts"):
        Predictor(for_inference(cfg, path), path, "cpu", tta="flip")


def test_an_image_that_is_scaled_to_nothing_is_refused_with_both_sizes(tmp_path):
    steps = [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": (256, 128), "keep_ratio": True},
        {"type": "PackSegInputs"},
    ]
    narrow = np.zeros((1, 3000, 3), np.uint8)
    predictor = predictor_of(tmp_path, pipeline=steps)
    for segment in (predictor, lambda image: predictor.predict([image])):
        with pytest.raises(
            ValueError, match=r"an image of 3000x1 is too narrow: the test pipeline would scale it to 256"
        ):
            segment(narrow)
    tiled = predictor_of(tmp_path, pipeline=steps, tile=64)
    assert tiled.predict([narrow])[0].train_ids.shape == (1, 3000)
