"""What Python users call, with all that can hold an image."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import semseg
from semseg import Segmenter, drawing, labels
from tests.checkpoints.described import save, small_config
from tests.inference.test_onnx_predictor import write
from tests.inference.test_predictor import lively_checkpoint, picture


@pytest.fixture(scope="module")
def checkpoint_path(tmp_path_factory):
    return save(tmp_path_factory.mktemp("trained") / "best.pth", lively_checkpoint(small_config()))


@pytest.fixture(scope="module")
def seg(checkpoint_path):
    return Segmenter(checkpoint_path, device="cpu", precision="fp32")


@pytest.fixture
def street(tmp_path):
    Image.fromarray(picture(120, 200)).save(tmp_path / "street.png")
    return tmp_path / "street.png"


def test_an_image_gets_train_ids_confidence_overlay_and_shares(seg, street):
    result = seg(street)
    image = picture(120, 200)
    assert (result.image == image).all()
    assert result.path == street
    assert (result.train_ids.dtype, result.train_ids.shape) == (np.uint8, (120, 200))
    assert (result.confidence.dtype, result.confidence.shape) == (np.uint8, (120, 200))
    assert result.probabilities is None
    assert result.classes == seg.classes == labels.CITYSCAPES.classes
    assert (seg.palette == labels.CITYSCAPES.palette).all()
    expected = drawing.overlay(image, result.train_ids, labels.CITYSCAPES.palette, 0.3)
    assert (result.overlay(0.3) == expected).all()
    shares = result.shares()
    assert tuple(shares) == result.classes
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["car"] == (result.train_ids == result.classes.index("car")).mean()


def test_what_is_not_wanted_is_not_computed(seg, street):
    result = seg(street, confidence=False, probabilities=True)
    assert result.confidence is None
    assert (result.probabilities.dtype, result.probabilities.shape) == (np.float16, (19, 120, 200))


def test_an_image_may_come_as_anything(seg, street):
    image = picture(120, 200)
    expected = seg(street)
    for source in (str(street), Image.fromarray(image), image, torch.from_numpy(image.transpose(2, 0, 1).copy())):
        result = seg(source)
        assert (result.train_ids == expected.train_ids).all()
        assert (result.confidence == expected.confidence).all()
    grey = Image.fromarray(image).convert("L")
    assert (seg(grey).image == np.asarray(grey)[:, :, None]).all()
    turned = Image.fromarray(image)
    turned.getexif()[0x0112] = 6
    assert seg(turned).train_ids.shape == (200, 120)


def test_many_images_are_a_list_or_come_one_by_one(seg, street):
    assert [result.path for result in seg([street, picture(64, 64)])] == [street, None]
    assert seg([]) == []
    taken = []

    def photographs():
        for height in (64, 96, 128):
            taken.append(height)
            yield picture(height, 64)

    results = seg(photographs())
    assert taken == []
    assert next(results).train_ids.shape == (64, 64)
    assert taken == [64]
    assert [result.train_ids.shape[0] for result in results] == [96, 128]


def test_a_folder_comes_in_natural_order_with_its_sub_folders(seg, street):
    for name in ("img10.png", "img2.png", "deep/a.png", "img2.bmp"):
        (street.parent / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(32, 32)).save(street.parent / name)
    results = seg(street.parent)
    assert iter(results) is results
    found = [str(result.path.relative_to(street.parent)) for result in results]
    assert sorted(found) == ["deep/a.png", "img10.png", "img2.bmp", "img2.png", "street.png"]
    assert found.index("img2.png") < found.index("img10.png")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"array of uint8 \(4, 4\); expected uint8 \(height, width, 3\), RGB"),
        (np.zeros((4, 4, 3)), r"array of float64 \(4, 4, 3\); expected uint8"),
        (
            torch.zeros(4, 4, 3, dtype=torch.uint8),
            r"tensor of torch.uint8 \(4, 4, 3\); expected .* \(3, height, width\)",
        ),
        (7, "int is no image; expected a path"),
        ([None], "NoneType is no image; expected a path"),
    ],
)
def test_other_things_are_refused(seg, source, message):
    with pytest.raises(ValueError, match=message):
        seg(source)


def test_files_that_are_none_are_named(seg, tmp_path):
    (tmp_path / "note.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"note\.jpg: not a readable image"):
        seg(tmp_path / "note.jpg")
    with pytest.raises(FileNotFoundError, match=r"no image or folder none\.jpg"):
        seg("none.jpg")
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*none\.pth"):
        Segmenter(tmp_path / "none.pth")


def test_an_exported_model_opens_as_well(tmp_path):
    path = write(tmp_path / "red.onnx")
    heard = []
    image = np.minimum(picture(120, 200), 200)  # this file says the red as train id, and 255 is none
    result = Segmenter(path, device="cpu", on_note=heard.append)(image)
    assert (result.train_ids == image[:, :, 0]).all()
    assert result.classes == ("road", "sky")
    assert heard[0].startswith("ONNX Runtime ")
    for what, options in (
        ("config", {"config": "x.py"}),
        ("tile", {"tile": 64}),
        ("precision", {"precision": "bf16"}),
    ):
        with pytest.raises(ValueError, match=rf"red\.onnx is an exported model, which has no use for {what}: leave it"):
            Segmenter(path, **options)


def test_notes_are_told(checkpoint_path):
    heard = []
    Segmenter(checkpoint_path, device="cpu", precision="bf16", tta="flip", on_note=heard.append)
    assert heard[0].startswith("precision: bf16 (as asked)")


def test_importing_semseg_imports_nothing_heavy():
    code = (
        "import sys, semseg; print({'torch', 'numpy', 'PIL', 'typing'} & set(sys.modules), 'Segmenter' in dir(semseg))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set() True\n"
    with pytest.raises(AttributeError, match="module 'semseg' has no attribute 'Segmentor'"):
        _ = semseg.Segmentor
