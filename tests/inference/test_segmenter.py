"""The Python interface, with everything that can hold an image."""

import dataclasses
import io
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import semseg
from semseg import Segmenter, labels
from semseg.inference.options import SegmenterOptions
from semseg.visualization import drawing
from tests.checkpoints.described import save, small_config
from tests.conftest import raises
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
    assert (result.confidence.dtype, result.confidence.shape) == (np.float32, (120, 200))
    assert result.probabilities is None
    assert result.classes == seg.classes == labels.CITYSCAPES.classes
    assert (seg.palette == labels.CITYSCAPES.palette).all()
    expected = drawing.overlay(image, result.train_ids, labels.CITYSCAPES.palette, 0.3)
    assert (result.overlay(0.3) == expected).all()
    shares = result.shares()
    assert tuple(shares) == result.classes
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["car"] == (result.train_ids == result.classes.index("car")).mean()


def test_the_confidence_is_computed_from_the_scores_without_rounding_to_bytes(seg, street, checkpoint_path):
    image = picture(120, 200)
    expected = seg.predictor.scores(image)[0].softmax(dim=0).amax(dim=0).numpy()
    found = seg(street).confidence
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(np.unique(found)) > 256
    assert 0 < found.min() <= found.max() <= 1
    tta = Segmenter(checkpoint_path, device="cpu", precision="fp32", tta="flip,0.75,1,1.25")
    assert tta(street).confidence.max() <= 1


def test_an_image_without_data_has_no_confidence_there(seg):
    image = np.dstack([picture(40, 60), np.full((40, 60), 255, np.uint8)])
    image[:, :20, 3] = 0
    found = seg(Image.fromarray(image, "RGBA"))
    assert (found.confidence[:, :20] == 0).all()
    assert (found.confidence[:, 20:] > 0).all()


def test_only_requested_results_are_computed(seg, street):
    result = seg(street, confidence=False, probabilities=True)
    assert result.confidence is None
    assert (result.probabilities.dtype, result.probabilities.shape) == (np.float16, (19, 120, 200))


def test_an_image_may_be_a_path_a_pil_image_an_array_or_a_tensor(seg, street):
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


def test_many_images_give_a_list_or_an_iterator(seg, street):
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


def test_a_folder_is_read_in_natural_order_with_its_sub_folders(seg, street):
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
        (np.zeros((0, 5, 3), np.uint8), r"image of uint8 \(0, 5, 3\) holds no pixel"),
        (torch.zeros(3, 0, 5, dtype=torch.uint8), r"image of uint8 \(0, 5, 3\) holds no pixel"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"array of uint8 \(2, 4, 4, 3\); expected uint8"),
        (7, "int is no image; expected a path"),
        (io.BytesIO(b"\n\n"), r"BytesIO is no image; .* of them; open it by PIL.Image.open\(...\)$"),
        (b"\xff\xd8", r"bytes is no image; .*; open encoded bytes by PIL.Image.open\(io.BytesIO\(...\)\)$"),
        ({"a.jpg": 1}, "dict is no image; expected a path, .* or other iterable of them$"),
        ([None], "NoneType is no image; expected a path"),
    ],
)
def test_objects_that_are_no_images_are_refused(seg, source, message):
    with raises("E-input-image", message):
        seg(source)


@pytest.fixture
def photographs_with_faults(tmp_path):
    for number in (1, 3):
        Image.fromarray(picture(32, 48, number)).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_text("no picture")
    Image.new("RGB", (3000, 1)).save(tmp_path / "4.png")  # test pipelines scale it to nothing
    return tmp_path


def test_on_error_skip_leaves_unreadable_images_of_a_folder_out(checkpoint_path, seg, photographs_with_faults):
    heard = []
    segment = Segmenter(checkpoint_path, device="cpu", precision="fp32", on_note=heard.append)
    heard.clear()
    found = list(segment(photographs_with_faults, on_error="skip"))
    assert [result.path.name for result in found] == ["1.png", "3.png"]
    assert (found[1].train_ids == seg(picture(32, 48, 3)).train_ids).all()
    assert [note.partition(": ")[0] for note in heard] == [
        f"skipped {photographs_with_faults / name}" for name in ("2.png", "4.png")
    ]
    assert all(note.count("png") == 1 for note in heard)
    results = segment(photographs_with_faults)
    assert next(results).path.name == "1.png"
    with pytest.raises(ValueError, match=r"2\.png: not a readable image"):
        next(results)
    with pytest.raises(ValueError, match=r"4\.png: .*3000"):
        segment(photographs_with_faults / "4.png")


def test_on_error_skip_gives_none_for_unreadable_images_of_a_list(seg, photographs_with_faults):
    images = [photographs_with_faults / "1.png", photographs_with_faults / "2.png", np.zeros((4, 4)), picture(32, 48)]
    with pytest.warns(UserWarning, match="skipped") as told:
        found = seg(images, on_error="skip")
    assert [result is None for result in found] == [False, True, True, False]
    assert [str(one.message).partition(": ")[0] for one in told] == [
        f"skipped {images[1]}",
        "skipped image 2, counted from 0",
    ]
    with pytest.warns(UserWarning, match="skipped"):
        assert [result is None for result in seg(iter(images), on_error="skip")] == [False, True, True, False]


def test_an_on_error_without_effect_is_refused(seg, street):
    with raises("E-input-no-effect", "`on_error` 'skip'"):
        seg(street, on_error="skip")
    with raises("E-input-choice", "`on_error` 'ignore': expected 'stop' or 'skip'"):
        seg(street.parent, on_error="ignore")


def test_unreadable_and_missing_files_are_named(seg, tmp_path):
    (tmp_path / "note.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"note\.jpg: not a readable image"):
        seg(tmp_path / "note.jpg")
    with raises("E-input-missing", r"none\.jpg"):
        seg("none.jpg")
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*none\.pth"):
        Segmenter(tmp_path / "none.pth")


def test_an_exported_model_can_be_opened(tmp_path):
    path = write(tmp_path / "red.onnx")
    heard = []
    image = np.minimum(picture(120, 200), 200)  # the model returns the red channel as train ids; 255 is none
    result = Segmenter(path, device="cpu", on_note=heard.append)(image)
    assert (result.train_ids == image[:, :, 0]).all()
    assert result.classes == ("road", "sky")
    assert heard[0].startswith("ONNX Runtime ")
    for what, options in (
        ("config", {"config": "x.py"}),
        ("`tile`", {"tile": 64}),
        ("`precision`", {"precision": "bf16"}),
        ("`overlap`", {"overlap": 0.5, "bits": 12}),
    ):
        with raises("E-input-no-effect", rf"red\.onnx .* {what}: leave it"):
            Segmenter(path, **options)


def test_an_unknown_option_is_refused_with_the_known_ones(checkpoint_path):
    with pytest.raises(TypeError, match=r"no option 'tiles'; expected some of backend, bits, .*, tile, .*, tta"):
        Segmenter(checkpoint_path, device="cpu", tiles=64)


def test_the_docstring_explains_every_option():
    documented = set(re.findall(r"^ +(\w+): ", Segmenter.__doc__, re.MULTILINE))
    assert {field.name for field in dataclasses.fields(SegmenterOptions)} <= documented


def test_on_note_gets_the_notes(checkpoint_path):
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


def test_a_notebook_shows_the_overlay_above_its_legend(seg, street):
    result = seg(street)
    shown = np.asarray(Image.open(io.BytesIO(result._repr_png_())))
    height, width = result.train_ids.shape
    assert shown.shape[1] == width and shown.shape[0] > height
    assert (shown[:height] == result.overlay()).all()
