"""ESPNet in examples/espnet: its structure is that of the authors' files, whose names and shapes are written here."""

import json
import subprocess
import sys

import pytest
import torch

from semseg.config import load_config
from semseg.config.plugin_files import import_plugins
from semseg.config.tree import walk
from tests.conftest import REPO, results_in, run

FOLDER = REPO / "examples/espnet"
CAMVID = FOLDER / "espnet_1xb10-11000_camvid-360x480.py"
TOYCITY = FOLDER / "espnet_1xb4-1000_toycity-128x256.py"


def batch_norm(name, channels):
    yield from ((f"{name}.{part}", (channels,)) for part in ("weight", "bias", "running_mean", "running_var"))


def norm_and_act(name, channels):
    yield from batch_norm(f"{name}.bn", channels)
    yield f"{name}.act.weight", (channels,)


def esp_convolutions(name, in_channels, out_channels, kernel_size):
    width = out_channels // 5
    yield f"{name}.c1.conv.weight", (width, in_channels, kernel_size, kernel_size)
    for number in (1, 2, 4, 8, 16):
        yield f"{name}.d{number}.conv.weight", (out_channels - 4 * width if number == 1 else width, width, 3, 3)


def published_shapes(classes=12):
    """Yield the names of the tensors in espnet_p_2_q_8_camvid.pth, with their shapes."""
    yield "encoder.level1.conv.weight", (16, 3, 3, 3)
    yield from norm_and_act("encoder.level1", 16)
    yield from norm_and_act("encoder.b1", 19)
    for level, in_channels, channels, num_blocks in ((2, 19, 64, 2), (3, 131, 128, 8)):
        yield from esp_convolutions(f"encoder.level{level}_0", in_channels, channels, 3)
        yield from norm_and_act(f"encoder.level{level}_0", channels)
        for number in range(num_blocks):
            yield from esp_convolutions(f"encoder.level{level}.{number}", channels, channels, 1)
            yield from norm_and_act(f"encoder.level{level}.{number}.bn", channels)
    yield from norm_and_act("encoder.b2", 131)
    yield from norm_and_act("encoder.b3", 256)
    yield "encoder.classifier.conv.weight", (classes, 256, 1, 1)
    yield "level3_C.conv.weight", (classes, 131, 1, 1)
    yield from batch_norm("br", classes)
    yield "conv.conv.weight", (classes, 19 + classes, 3, 3)
    yield from norm_and_act("conv", classes)
    yield from norm_and_act("combine_l2_l3.0", 2 * classes)
    yield from esp_convolutions("combine_l2_l3.1", 2 * classes, classes, 1)
    yield from norm_and_act("combine_l2_l3.1.bn", classes)
    yield from norm_and_act("up_l2.1", classes)
    for name in ("up_l3.0", "up_l2.0", "classifier"):
        yield f"{name}.weight", (classes, classes, 2, 2)


@pytest.fixture(scope="module")
def parts():
    return [sys.modules[p.module] for p in import_plugins([FOLDER / "espnet.py", FOLDER / "convert_weights.py"])]


def network(parts, num_classes, channels):
    norm_cfg = dict(type="BN", eps=1e-3)
    head = parts[0].ESPNetHead(num_classes=num_classes, channels=channels, dropout_ratio=0, norm_cfg=norm_cfg)
    return torch.nn.ModuleDict(dict(backbone=parts[0].ESPNetEncoder(norm_cfg=norm_cfg), decode_head=head)).eval()


def test_the_published_tensors_fill_the_network_completely(parts):
    generator = torch.Generator().manual_seed(0)
    published = {name: torch.rand(shape, generator=generator) for name, shape in published_shapes()}
    assert len(published) == 189
    for num_outputs in (12, 11):
        model = network(parts, num_outputs, 12)
        loaded = model.load_state_dict(parts[1].convert(published, num_outputs), strict=False)
        assert loaded.unexpected_keys == []
        assert {name.rpartition(".")[2] for name in loaded.missing_keys} <= {"num_batches_tracked"}
    assert torch.equal(model["decode_head"].classify.weight, published["classifier.weight"][:, :11])
    assert torch.equal(model["backbone"].blocks3[7].branches[4].weight, published["encoder.level3.7.d16.conv.weight"])
    with pytest.raises(ValueError, match=r"head\.weight is not a tensor of ESPNet"):
        parts[1].convert({"head.weight": torch.zeros(1)}, 11)
    with pytest.raises(ValueError, match="--outputs 13: the file has 12"):
        parts[1].convert(published, 13)


def test_it_has_as_many_weights_as_its_description_says(parts):
    count = sum(value.numel() for value in network(parts, 19, 19).parameters())
    assert round(count / 1e6, 2) == 0.36


@pytest.mark.parametrize(("size", "scored"), [((64, 128), (64, 128)), ((61, 90), (62, 90)), ((8, 8), (8, 8))])
def test_scores_have_the_size_of_the_image_also_if_it_is_not_divisible_by_eight(parts, size, scored):
    model = network(parts, 3, 5)
    with torch.inference_mode():
        scores = model["decode_head"](model["backbone"](torch.rand(1, 3, *size)))
    assert tuple(scores.shape) == (1, 3, *scored)


def test_a_decoder_that_is_too_narrow_for_five_branches_is_refused(parts):
    with pytest.raises(ValueError, match="4 channels: expected 5 or more, one for each dilation"):
        network(parts, 3, 4)


def test_both_configs_are_read_and_name_the_file_beside_them(tmp_path):
    for path, num_classes in ((CAMVID, 11), (TOYCITY, 19)):
        cfg = load_config(path)
        assert cfg.model.decode_head.num_classes == num_classes
        assert [record["name"] for record in cfg.plugins] == ["espnet.py"]
        types = {value for key, value in walk(cfg.to_dict(), "") if key.endswith(".type")}
        assert {"ESPNetEncoder", "ESPNetHead"} <= types


@pytest.mark.slow
def test_converted_weights_are_evaluated_by_the_test_program(town, tmp_path, parts):
    model = network(parts, 19, 19)
    own = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    published = {name: own[parts[1].new_name(name)] for name, _ in published_shapes(19)}
    torch.save(published, tmp_path / "published.pth")
    convert = [sys.executable, FOLDER / "convert_weights.py", tmp_path / "published.pth", tmp_path / "own.pth"]
    done = subprocess.run([*convert, "--outputs", "19"], capture_output=True, text=True)
    assert "189 tensors, 19 classes" in done.stdout, done.stderr
    run(town, "test.py", TOYCITY, tmp_path / "own.pth", "--work-dir", tmp_path / "run", "--no-report")
    assert json.dumps(results_in(tmp_path / "run")["scores"]["mIoU"]["value"]) != "null"
