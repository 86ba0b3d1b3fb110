"""Every config in MMSegmentation runs with a user's data set, or ends with a clear error of one sentence."""

import collections
import gc
import importlib.util
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from mmengine.config import Config

from semseg.checks.gate import check_before_run
from semseg.config import load_config
from semseg.config.tree import inner_datasets, walk
from semseg.system.stopping import Stopped
from semseg.training import for_training
from semseg.training.run import train

ZOO = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
RUNS = ""
NEEDS = r"the package {0} is not installed: pip install onedl-{1}"
SMALL = {  # the smallest config of each family, and the result: it runs, or words of the error
    "ann": ("ann_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "apcnet": ("apcnet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "beit": ("beit-base_upernet_8xb2-160k_ade20k-640x640", r"made for model\.backbone\.img_size=\(640, 640\)"),
    "bisenetv1": ("bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024", RUNS),
    "bisenetv2": ("bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024", RUNS),
    "ccnet": ("ccnet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "cgnet": ("cgnet_fcn_4xb4-60k_cityscapes-680x680", RUNS),
    "convnext": (
        "convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512",
        "custom_imports needs mmpretrain, and " + NEEDS.format("mmpretrain", "mmpretrain"),
    ),
    "danet": ("danet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "ddrnet": ("ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024", RUNS),
    "deeplabv3": ("deeplabv3_r18b-d8_4xb2-80k_cityscapes-512x1024", RUNS),
    "deeplabv3plus": ("deeplabv3plus_r18b-d8_4xb2-80k_cityscapes-512x1024", RUNS),
    "dmnet": ("dmnet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "dnlnet": ("dnl_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "dpt": ("dpt_vit-b16_8xb2-160k_ade20k-512x512", RUNS),
    "dsdl": ("cityscapes", RUNS),
    "emanet": ("emanet_r50-d8_4xb2-80k_cityscapes-512x1024", RUNS),
    "encnet": ("encnet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "erfnet": ("erfnet_fcn_4xb4-160k_cityscapes-512x1024", RUNS),
    "fastfcn": ("fastfcn_r50-d32_jpu_enc_4xb2-80k_cityscapes-512x1024", RUNS),
    "fastscnn": ("fast_scnn_8xb4-160k_cityscapes-512x1024", RUNS),
    "fcn": ("fcn_r18b-d8_4xb2-80k_cityscapes-512x1024", RUNS),
    "gcnet": ("gcnet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "hrnet": ("fcn_hr18s_4xb2-40k_cityscapes-512x1024", RUNS),
    "icnet": ("icnet_r18-d8_4xb2-80k_cityscapes-832x832", RUNS),
    "isanet": ("isanet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "knet": ("knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512", RUNS),
    "mae": ("mae-base_upernet_8xb2-amp-160k_ade20k-512x512", r"made for model\.backbone\.img_size=\(512, 512\)"),
    "mask2former": (
        "mask2former_r50_8xb2-90k_cityscapes-512x1024",
        r"^model\.decode_head\.\S+\.type is 'mmdet\.\w+', and " + NEEDS.format("mmdet", "mmdetection"),
    ),
    "maskformer": (
        "maskformer_r50-d32_8xb2-160k_ade20k-512x512",
        r"^model\.decode_head\.\S+\.type is 'mmdet\.\w+', and " + NEEDS.format("mmdet", "mmdetection"),
    ),
    "mobilenet_v2": ("mobilenet-v2-d8_fcn_4xb2-80k_cityscapes-512x1024", RUNS),
    "mobilenet_v3": (
        "mobilenet-v3-d8-s_lraspp_4xb4-320k_cityscapes-512x1024",
        r"model\.decode_head \(LRASPPHead\) fails in a training step on 64x64 .* it needs larger crops",
    ),
    "nonlocal_net": ("nonlocal_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "ocrnet": ("ocrnet_hr18s_4xb2-160k_cityscapes-512x1024", RUNS),
    "pidnet": ("pidnet-s_2xb6-120k_1024x1024-cityscapes", RUNS),
    "point_rend": ("pointrend_r50_4xb2-80k_cityscapes-512x1024", RUNS),
    "poolformer": (
        "fpn_poolformer_s12_8xb4-40k_ade20k-512x512",
        "custom_imports needs mmpretrain, and " + NEEDS.format("mmpretrain", "mmpretrain"),
    ),
    "psanet": (
        "psanet_r50-d8_4xb2-40k_cityscapes-512x1024",
        r"model\.decode_head \(PSAHead\) needs the operator PSAMask",
    ),
    "pspnet": ("pspnet_r18b-d8_4xb2-80k_cityscapes-512x1024", RUNS),
    "resnest": ("resnest_s101-d8_fcn_4xb2-80k_cityscapes-512x1024", RUNS),
    "san": ("san-vit-b16_coco-stuff164k-640x640", "^SAN cannot learn from scratch: "),
    "segformer": ("segformer_mit-b0_8xb1-160k_cityscapes-1024x1024", RUNS),
    "segmenter": ("segmenter_vit-t_mask_8xb1-160k_ade20k-512x512", RUNS),
    "segnext": ("segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512", RUNS),
    "sem_fpn": ("fpn_r50_4xb2-80k_cityscapes-512x1024", RUNS),
    "setr": ("setr_vit-l_naive_8xb1-80k_cityscapes-768x768", RUNS),
    "stdc": ("stdc1_4xb12-80k_cityscapes-512x1024", RUNS),
    "swin": ("swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512", RUNS),
    "twins": ("twins_svt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512", RUNS),
    "unet": ("unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024", RUNS),
    "upernet": ("upernet_r18_4xb2-40k_cityscapes-512x1024", RUNS),
    "vit": ("vit_deit-s16_upernet_8xb2-80k_ade20k-512x512", RUNS),
    "vpd": ("vpd_sd_4xb8-25k_nyu-480x480", r"model\.type 'DepthEstimator' does not predict classes"),
}
SIDE = 64  # of pictures and crops


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset.yaml with three classes and pictures of 64x64 pixels."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for kind in ("photos", "masks"):
            (root / split / kind).mkdir(parents=True)
        for i in range(count):
            mask = np.repeat(np.repeat(rng.integers(0, 3, (4, 4), np.uint8), 16, axis=0), 16, axis=1)
            photo = (mask[..., None] * 60 + rng.integers(0, 60, (SIDE, SIDE, 3))).astype(np.uint8)
            cv2.imwrite(str(root / split / "photos" / f"{i}.png"), photo)
            cv2.imwrite(str(root / split / "masks" / f"{i}.png"), mask)
    splits = {name: {"images": f"{name}/photos", "masks": f"{name}/masks"} for name in ("train", "val")}
    path = root / "dataset.yaml"
    path.write_text(yaml.safe_dump({"splits": splits, "encoding": "ids", "classes": ["sand", "water", "boat"]}))
    return path


def small_options(path):
    """Return the --cfg-options that a user gives to try a config from scratch on small pictures."""
    cfg = Config.fromfile(path, import_custom_modules=False)
    options = ["train_dataloader.batch_size=2"]
    for name in ("train", "val"):
        options += [f"{name}_dataloader.num_workers=0", f"{name}_dataloader.persistent_workers=False"]
        for i, step in enumerate(inner_datasets(cfg[f"{name}_dataloader"].dataset)[0].pipeline):
            place = f"{name}_dataloader.dataset.pipeline.{i}"
            if "crop_size" in step:
                options.append(f"{place}.crop_size=({SIDE},{SIDE})")
            if step.type in ("Resize", "RandomResize"):
                options.append(f"{place}.scale=({SIDE},{SIDE})")
            elif step.type == "RandomChoiceResize":
                options.append(f"{place}.scales=[{SIDE}]")
            elif step.type == "ResizeShortestEdge":
                options.append(f"{place}.scale={SIDE}")
    preprocessor = cfg.model.get("data_preprocessor", {})
    options += [f"model.data_preprocessor.{key}=({SIDE},{SIDE})" for key in ("size",) if preprocessor.get(key)]
    if preprocessor.get("size_divisor"):
        options.append(f"model.data_preprocessor.size_divisor={SIDE}")
    if cfg.model.get("test_cfg", {}).get("mode") == "slide":
        options += [f"model.test_cfg.crop_size={SIDE}", f"model.test_cfg.stride={SIDE}"]
    for key, value in walk(cfg.model.to_dict(), "model"):
        if (key.endswith(".pretrained") and value is not None) or (
            key.endswith(".init_cfg") and "Pretrained" in str(value)
        ):
            options.append(f"{key}=None")
    return options + narrow_options(cfg.model)


def narrow_options(model):
    """Return the options for a quarter of the channels of a ResNet-50 or -101, and an eighth of those of a ViT-B or -L.

    What goes wrong in a model of 300 million parameters goes wrong in one of 10 million too.
    """
    kind = model.get("backbone", {}).get("type", "")
    if kind in ("ResNetV1c", "ResNet", "ResNeSt") and model.backbone.depth >= 50:
        widths, divisor, options = {1024, 2048}, 4, ["model.backbone.base_channels=16"]
    elif kind in ("VisionTransformer", "BEiT", "MAE"):
        widths, divisor, options = {768, 1024}, 8, []
    else:
        return []
    for key, value in walk(model.to_dict(), "model"):
        is_one = not isinstance(value, (list, tuple))
        values = [value] if is_one else value
        if key.rpartition(".")[2] in ("in_channels", "embed_dim", "embed_dims") and widths.intersection(values):
            narrow = value // divisor if is_one else type(value)(width // divisor for width in value)
            options.append(f"{key}={narrow}".replace(" ", ""))
    if (model.get("neck") or {}).get("type") == "JPU":  # the width of what it puts together
        options.append(f"model.neck.mid_channels={model.neck.mid_channels // divisor}")
    return options


def dry_run(path, data, work_dir):
    """Return the error of a dry run; an empty string if there is none."""
    try:
        cfg = load_config(path, small_options(path), data=data, work_dir=work_dir, seed=0)
        cfg = for_training(cfg, dry_run=True)
        check_before_run(cfg, "train")
        with pytest.raises(Stopped, match="nothing stands in the way") as stopped:
            train(cfg)
        assert stopped.value.exit_code == 0
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    finally:
        gc.collect()
    return RUNS


def test_every_family_is_tried():
    folders = {path.name for path in ZOO.iterdir() if path.is_dir() and path.name != "_base_"}
    assert folders == set(SMALL)


@pytest.mark.slow  # three minutes in all
@pytest.mark.parametrize("family", SMALL)
def test_a_config_of_every_family_runs_or_ends_in_one_sentence(family, data, tmp_path, capfd):
    name, outcome = SMALL[family]
    sentence = dry_run(ZOO / family / f"{name}.py", data, tmp_path)
    assert re.search(outcome, sentence) if outcome else sentence == RUNS, sentence
    assert "\n" not in sentence
    shown = capfd.readouterr()
    for noise in ("Warning", "paramwise_options", "set param", "Param groups", "init cfg None"):
        assert noise not in shown.out + shown.err


@pytest.mark.slow  # a minute
def test_every_config_loads_or_ends_in_one_sentence(data):
    paths = [path for path in sorted(ZOO.glob("*/*.py")) if path.parent.name != "_base_"]
    sentences, num_loaded = collections.Counter(), 0
    for path in paths:
        try:
            cfg = load_config(path, data=data)
        except ValueError as error:
            message = next(words for words in _REFUSED if re.search(words, str(error)))
            assert "\n" not in str(error)
            sentences[path.parent.name, message] += 1
        else:
            assert cfg.model.type
            num_loaded += 1
    assert dict(sentences) == {
        ("bisenetv2", _REFUSED[0]): 1,
        ("convnext", _REFUSED[1]): 6,
        ("poolformer", _REFUSED[1]): 5,
        ("mask2former", _REFUSED[2]): 4,
        ("vpd", _REFUSED[3]): 2,
    }
    assert num_loaded + sum(sentences.values()) == len(paths) == 682


_REFUSED = (
    "unknown key 'models'; did you mean 'model'",  # had no effect in MMSegmentation either
    "custom_imports needs mmpretrain, and " + NEEDS.format("mmpretrain", "mmpretrain"),
    "custom_imports needs mmdet, and " + NEEDS.format("mmdet", "mmdetection"),
    "model.type 'DepthEstimator' does not predict classes",
)
