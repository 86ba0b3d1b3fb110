"""Every config in MMSegmentation runs with a user's data set, or ends with a clear error of one sentence."""

import collections
import gc
import importlib.util
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg import Segmenter, compat
from semseg.checks.gate import check_before_run
from semseg.config import load_config
from semseg.config.tree import inner_datasets_with_keys, walk
from semseg.system.stopping import Stopped
from semseg.training import for_training
from semseg.training.run import train
from tests.checkpoints.described import describe, save

ZOO = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
RUNS = ""


def unless_installed(package, sentence):
    """Return the error of a config that needs a package; with the package, the config runs."""
    is_missing = importlib.util.find_spec(package) is None
    command = re.escape(f"pip install -e '.[{package}]'")
    return rf"{sentence}, and the package {package} is not installed: {command}" if is_missing else RUNS


IMPORTS_MMPRETRAIN = unless_installed("mmpretrain", "custom_imports needs mmpretrain")
IMPORTS_MMDET = unless_installed("mmdet", "custom_imports needs mmdet")
USES_MMDET = unless_installed("mmdet", r"^model\.decode_head\.\S+\.type is 'mmdet\.\w+'")
NEEDS_OPERATOR = r"model\.decode_head \(PSAHead\) needs the operator PSAMask"
SMALL = {  # the smallest config of each family, and the result: it runs, or words of the error
    "ann": ("ann_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "apcnet": ("apcnet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "beit": ("beit-base_upernet_8xb2-160k_ade20k-640x640", RUNS),
    "bisenetv1": ("bisenetv1_r18-d32_4xb4-160k_cityscapes-1024x1024", RUNS),
    "bisenetv2": ("bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024", RUNS),
    "ccnet": ("ccnet_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "cgnet": ("cgnet_fcn_4xb4-60k_cityscapes-680x680", RUNS),
    "convnext": (
        "convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512",
        IMPORTS_MMPRETRAIN,
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
    "mae": ("mae-base_upernet_8xb2-amp-160k_ade20k-512x512", RUNS),
    "mask2former": (
        "mask2former_r50_8xb2-90k_cityscapes-512x1024",
        USES_MMDET,
    ),
    "maskformer": (
        "maskformer_r50-d32_8xb2-160k_ade20k-512x512",
        USES_MMDET,
    ),
    "mobilenet_v2": ("mobilenet-v2-d8_fcn_4xb2-80k_cityscapes-512x1024", RUNS),
    "mobilenet_v3": ("mobilenet-v3-d8-s_lraspp_4xb4-320k_cityscapes-512x1024", RUNS),
    "nonlocal_net": ("nonlocal_r50-d8_4xb2-40k_cityscapes-512x1024", RUNS),
    "ocrnet": ("ocrnet_hr18s_4xb2-160k_cityscapes-512x1024", RUNS),
    "pidnet": ("pidnet-s_2xb6-120k_1024x1024-cityscapes", RUNS),
    "point_rend": ("pointrend_r50_4xb2-80k_cityscapes-512x1024", RUNS),
    "poolformer": (
        "fpn_poolformer_s12_8xb4-40k_ade20k-512x512",
        IMPORTS_MMPRETRAIN,
    ),
    "psanet": (
        "psanet_r50-d8_4xb2-40k_cityscapes-512x1024",
        NEEDS_OPERATOR,
    ),
    "pspnet": ("pspnet_r18b-d8_4xb2-80k_cityscapes-512x1024", RUNS),
    "resnest": ("resnest_s101-d8_fcn_4xb2-80k_cityscapes-512x1024", RUNS),
    "san": ("san-vit-b16_coco-stuff164k-640x640", RUNS),
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
ENLARGE = {"beit": 64, "mae": 64, "mobilenet_v3": 520}  # what they need; with `data` alone it takes minutes
SIZES = [(61, 47), (47, 61)]  # width, height of the pictures: smaller than every crop, and divisible by nothing


def write_set(root, num_classes):
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for kind in ("photos", "masks"):
            (root / split / kind).mkdir(parents=True)
        for i in range(count):
            width, height = SIZES[i % 2]
            mask = np.kron(rng.integers(0, num_classes, (8, 8)), np.ones((8, 8)))[:height, :width].astype(np.uint8)
            photo = (mask[..., None] * (180 // num_classes) + rng.integers(0, 60, (height, width, 3))).astype(np.uint8)
            cv2.imwrite(str(root / split / "photos" / f"{i}.png"), photo)
            cv2.imwrite(str(root / split / "masks" / f"{i}.png"), mask)
    splits = {name: {"images": f"{name}/photos", "masks": f"{name}/masks"} for name in ("train", "val")}
    classes = [f"c{i}" for i in range(num_classes)]
    path = root / "dataset.yaml"
    path.write_text(yaml.safe_dump({"splits": splits, "encoding": "ids", "classes": classes}))
    return path


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Sets of 2, 3 and 30 classes, by their number of classes."""
    return {count: write_set(tmp_path_factory.mktemp("data"), count) for count in (2, 3, 30)}


@pytest.fixture(scope="module")
def data(sets):
    return sets[3]


@pytest.fixture(scope="module", autouse=True)
def quick_garbage_collection():
    """Leave MMSegmentation out of the garbage collections that MMEngine asks for: they take a second of each run."""
    compat.repair()  # imports it
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def clip(tmp_path_factory, data):
    """A file with weights for a small SAN, in the layout of those of CLIP."""
    path = ZOO / "san" / f"{SMALL['san'][0]}.py"
    cfg = load_config(path, [*SMALL_SAN, "model.pretrained=None"], data=data)
    init_default_scope("mmseg")
    torch.manual_seed(0)
    state = MODELS.build(cfg.model).state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            value.normal_(1 if name.endswith("weight") and value.ndim == 1 else 0, 0.02)
    parts = ("image_encoder", "text_encoder", "decode_head.rec_with_attnbias")
    path = tmp_path_factory.mktemp("clip") / "clip.pth"
    torch.save({name: value for name, value in state.items() if name.startswith(parts)}, path)
    return path


SMALL_SAN = (
    "model.image_encoder.embed_dims=48",
    "model.image_encoder.num_heads=4",
    "model.text_encoder.embed_dims=64",
    "model.text_encoder.output_dims=32",
    "model.text_encoder.num_layers=2",
    "model.decode_head.san_cfg.clip_channels=48",
    "model.decode_head.san_cfg.embed_dims=48",
    "model.decode_head.san_cfg.cfg_decoder.num_heads=4",
    "model.decode_head.maskgen_cfg.embed_dims=48",
    "model.decode_head.maskgen_cfg.num_heads=4",
    "model.decode_head.maskgen_cfg.out_dims=32",
)


def options_for_a_test(path):
    """Return options for a run of one iteration without a network and processes; none of them says a size."""
    options = ["train_cfg.max_iters=1", "train_cfg.val_interval=1", "train_cfg.val_begin=1"]
    options += ["default_hooks.logger.interval=1", "optim_wrapper.optimizer.lr=1e-6"]
    return options + offline_options(path)


def offline_options(path):
    """Return options for small batches without a network and processes."""
    cfg = Config.fromfile(path, import_custom_modules=False)
    options = ["train_dataloader.batch_size=2"]
    for name in ("train", "val"):
        options += [f"{name}_dataloader.num_workers=0", f"{name}_dataloader.persistent_workers=False"]
    for key, value in walk(cfg.model.to_dict(), "model"):
        if (key.endswith(".pretrained") and value is not None) or (
            key.endswith(".init_cfg") and "Pretrained" in str(value)
        ):
            options.append(f"{key}=None")
    return options + narrow_options(cfg.model)


def size_options(path, side):
    """Return the options that set every size in a config."""
    cfg, options = Config.fromfile(path, import_custom_modules=False), []
    for name in ("train", "val"):
        key, dataset = next(inner_datasets_with_keys(cfg[f"{name}_dataloader"].dataset, f"{name}_dataloader.dataset"))
        for i, step in enumerate(dataset.pipeline):
            place = f"{key}.pipeline.{i}"
            if "crop_size" in step:
                options.append(f"{place}.crop_size=({side},{side})")
            if step.type in ("Resize", "RandomResize"):
                options.append(f"{place}.scale=({side},{side})")
    options.append(f"model.data_preprocessor.size=({side},{side})")
    if cfg.model.test_cfg.mode == "slide":
        options += [f"model.test_cfg.crop_size={side}", f"model.test_cfg.stride={side}"]
    if "img_size" in cfg.model.backbone:
        options.append(f"model.backbone.img_size=({side},{side})")
    return options


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


def prepare(family, data, work_dir, more=(), **asked):
    path = ZOO / family / f"{SMALL[family][0]}.py"
    cfg = load_config(path, [*options_for_a_test(path), *more], data=data, work_dir=work_dir, seed=0)
    for key in ("train_pipeline", "test_pipeline", "tta_pipeline"):  # nothing uses them; a text is made of the config
        cfg.pop(key, None)
    cfg = for_training(cfg, **asked)
    check_before_run(cfg, "train")
    return cfg


def run_once(family, data, work_dir, more=()):
    """Train for an iteration and validate.

    Returns:
        The error, and the scores of the validation.
    """
    try:
        cfg = prepare(family, data, work_dir, more, check=False)
        cfg.default_hooks.checkpoint = None  # writing takes longer than the iteration
        train(cfg)
    except (ValueError, FileNotFoundError) as error:
        return str(error), {}
    (path,) = work_dir.glob("*/vis_data/scalars.json")
    training, validation = map(json.loads, path.read_text().splitlines())
    assert np.isfinite(training["loss"])
    return RUNS, validation


def test_every_family_is_tried():
    folders = {path.name for path in ZOO.iterdir() if path.is_dir() and path.name != "_base_"}
    assert folders == set(SMALL)


@pytest.mark.slow  # a minute in all
@pytest.mark.parametrize("family", SMALL)
def test_a_config_of_every_family_runs_with_data_alone_or_ends_in_one_sentence(family, data, tmp_path, capfd, request):
    more = []
    if family == "san":
        more = [*SMALL_SAN, f"model.pretrained={request.getfixturevalue('clip')}"]
    elif family in ENLARGE:
        more = size_options(ZOO / family / f"{SMALL[family][0]}.py", ENLARGE[family])
    outcome = SMALL[family][1]
    sentence, scores = run_once(family, data, tmp_path, more)
    assert re.search(outcome, sentence) if outcome else sentence == RUNS, sentence
    assert "\n" not in sentence
    if not outcome:  # truths and predictions have the sizes of the pictures, or the metric would refuse them
        assert {"IoU/c0", "IoU/c1", "IoU/c2"} <= scores.keys()
    shown = capfd.readouterr()
    for noise in ("Warning", "paramwise_options", "set param", "Param groups", "init cfg None"):
        assert noise not in shown.out + shown.err


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", (2, 30))
@pytest.mark.parametrize("family", ("cgnet", "ddrnet", "encnet", "knet", "pidnet", "stdc", "san"))
def test_heads_of_every_kind_learn_any_number_of_classes(family, num_classes, sets, tmp_path, request):
    more = [*SMALL_SAN, f"model.pretrained={request.getfixturevalue('clip')}"] if family == "san" else []
    sentence, scores = run_once(family, sets[num_classes], tmp_path, more)
    assert sentence == RUNS
    assert len([name for name in scores if name.startswith("IoU/")]) == num_classes


@pytest.mark.slow
@pytest.mark.parametrize("family", ("fcn", "pidnet", "mobilenet_v3", "san"))
def test_a_dry_run_tries_a_step_or_says_why_it_fails(family, data, tmp_path):
    more = size_options(ZOO / family / f"{SMALL[family][0]}.py", 64) if family == "mobilenet_v3" else []
    outcome = {
        "mobilenet_v3": r"model\.decode_head \(LRASPPHead\) fails in a training step on 64x64 .* it needs larger crops",
        "san": "^SAN cannot learn from scratch: ",
    }.get(family, "nothing stands in the way")
    with pytest.raises((ValueError, Stopped), match=outcome):
        train(prepare(family, data, tmp_path, more, dry_run=True))


@pytest.mark.slow
@pytest.mark.parametrize("family", ("ddrnet", "knet", "unet", "san"))
def test_models_with_special_parts_predict_pictures_of_any_size(family, data, tmp_path, request):
    path, more = ZOO / family / f"{SMALL[family][0]}.py", []
    if family == "san":
        more = [*SMALL_SAN, f"model.pretrained={request.getfixturevalue('clip')}"]
    cfg = load_config(path, [*options_for_a_test(path), *more], data=data)
    init_default_scope("mmseg")
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    classes = ("c0", "c1", "c2")
    meta = {"semseg": describe(cfg, classes=classes), "dataset_meta": {"classes": classes}}
    segment = Segmenter(save(tmp_path / "a.pth", {"meta": meta, "state_dict": model.state_dict()}), device="cpu")
    picture = np.random.default_rng(0).integers(0, 256, (47, 61, 3), np.uint8)
    assert segment(picture).train_ids.shape == (47, 61)


def test_two_classes_of_a_boundary_head_do_not_depend_on_the_data(sets):
    heads = load_config(ZOO / "stdc" / f"{SMALL['stdc'][0]}.py", data=sets[30]).model.auxiliary_head
    assert [(head.type, head.num_classes) for head in heads] == [
        ("FCNHead", 30),
        ("FCNHead", 30),
        ("STDCHead", 2),
    ]


@pytest.mark.slow  # 20 seconds
def test_every_config_loads_or_ends_in_one_sentence(data):
    paths = [path for path in sorted(ZOO.glob("*/*.py")) if path.parent.name != "_base_"]
    sentences, num_loaded, num_refused = collections.Counter(), 0, 0
    patterns = (*_REFUSED, NEEDS_OPERATOR, *filter(None, (IMPORTS_MMPRETRAIN, IMPORTS_MMDET, USES_MMDET)))
    for path in paths:
        try:
            cfg = load_config(path, data=data)
        except ValueError as error:
            message = next(words for words in patterns if re.search(words, str(error)))
            assert "\n" not in str(error)
            sentences[path.parent.name, message] += 1
            num_refused += 1
        else:
            assert cfg.model.type
            num_loaded += 1
    for sentence, count in {
        ("bisenetv2", _REFUSED[0]): 1,
        ("convnext", IMPORTS_MMPRETRAIN): 6,
        ("poolformer", IMPORTS_MMPRETRAIN): 5,
        ("mask2former", IMPORTS_MMDET): 4,
        ("mask2former", USES_MMDET): 9,
        ("maskformer", USES_MMDET): 4,
        ("psanet", NEEDS_OPERATOR): 16,
        ("swin", _REFUSED[2]): 1,
        ("unet", _REFUSED[2]): 1,
        ("vpd", _REFUSED[1]): 2,
    }.items():
        if sentence[1]:  # the package is not installed
            assert sentences.pop(sentence) == count, sentence
    assert not sentences
    assert num_loaded + num_refused == len(paths) == 682


_REFUSED = (
    "unknown key 'models'; did you mean 'model'",  # had no effect in MMSegmentation either
    "model.type 'DepthEstimator' does not predict classes",
    r"holds photographs, and train_dataloader reads other files with \w+: take a config",
)
