"""The configs have the values of MMSegmentation's model zoo, and their headers the figures that it has published."""

import fnmatch
import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from semseg.config.keys import EFFECTIVE_KEYS
from semseg.config.recipes import recipes
from tests.conftest import REPO

STOCK_CONFIGS = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
STOCK = {path.stem: path for path in STOCK_CONFIGS.glob("[!_]*/*.py")}
CONFIGS = sorted(recipes().values())
IN_ZOO = [path for path in CONFIGS if path.stem in STOCK]
DELIBERATE = {  # in every config
    "custom_imports.*",  # brings semseg.plugins in
    "default_hooks.checkpoint.save_best",  # the best checkpoint is kept
    "default_hooks.checkpoint.max_keep_ckpts",  # and the last three, instead of all ten
    "visualizer.vis_backends.1.type",  # TensorBoard is on
    "custom_hooks.?.*",  # pictures of what the network receives, and at every validation; progress bar on a terminal
    "log_processor.type",  # per-class scores don't fill the log line
    "val_evaluator.type",  # the same metric, which also returns its per-class scores
    "test_evaluator.type",
    # the same arrays from masks of train ids; other masks are refused with their name, instead of a CUDA assertion in
    # training and of pixels that silently don't count in evaluation
    "train_dataloader.dataset.pipeline.1.type",
    "val_dataloader.dataset.pipeline.2.type",
    "test_dataloader.dataset.pipeline.2.type",
    "tta_pipeline.1.transforms.2.0.type",
}
DELIBERATE_IN = {  # by a pattern of the name
    # the zoo's file says 8 images per GPU, and its name 4: without the batch, semseg would take it from the name
    "cgnet_fcn_4xb4-*": {"auto_scale_lr.*"},
    "cgnet_*": {"default_hooks.logger.log_metric_by_epoch", "default_hooks.visualization.type"},  # as in the others
    "pidnet-*": {"randomness.seed"},  # runs differ, unless --seed is given
    "ddrnet_*": {"randomness.seed"},
    "unet-*": {"model.test_cfg.crop_size", "model.test_cfg.stride"},  # of windows, and the mode is whole images
}
NOT_CITYSCAPES_IN_ZOO = {  # its model and its recipe come from configs for other data sets
    "swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_cityscapes-512x1024": (
        "swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512",
    )
    * 2,
    "convnext-tiny_upernet_8xb2-amp-160k_cityscapes-512x1024": ("convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512",)
    * 2,
    "unet-s5-d16_pspnet_4xb4-160k_cityscapes-512x1024": (
        "unet-s5-d16_pspnet_4xb4-40k_drive-64x64",
        "unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024",
    ),
}
HEADER = re.compile(
    r"(?P<title># .+\n(?:# .+\n)*)#\n"
    r"#   (?P<command>.+)\n#\n"
    r"(?:# Published by MMSegmentation: nothing\n"
    r"|# Published by MMSegmentation \((?P<source>.+); speed: README\.md there\):\n"
    r"#   mIoU     (?P<mIoU>[\d.]+) %, with --tta (?P<tta>[\d.]+ %|not published)\n"
    r"#   memory   (?P<memory>[\d.]+ GB per GPU|not published)\n"
    r"#   speed    (?P<speed>[\d.]+ images/s on one [AV]100|not published)\n"
    r"#   weights  (?P<weights>\S+)\n)[^#]"
)


def flat(node, path=""):
    """Map 'a.b.0.c' to values."""
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, (list, tuple)) and any(isinstance(child, (dict, list, tuple)) for child in node):
        items = enumerate(node)
    else:
        return {path: tuple(node) if isinstance(node, list) else node}
    return {key: value for name, child in items for key, value in flat(child, f"{path}.{name}".lstrip(".")).items()}


def flat_config(path):
    """Return what has an effect in a config: not the helper names, and not `clip_grad=None`, which is the default."""
    values = flat(Config.fromfile(path, import_custom_modules=False).to_dict())
    if values.get("optim_wrapper.clip_grad", "absent") is None:
        del values["optim_wrapper.clip_grad"]
    return {key: value for key, value in values.items() if key.partition(".")[0] in EFFECTIVE_KEYS}


def differences(ours, theirs):
    """Return the keys of which the values differ, or that only one of two flat configs has."""
    return {key for key in ours.keys() | theirs.keys() if ours.get(key, "absent") != theirs.get(key, "absent")}


def is_in(key, patterns):
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


@pytest.mark.parametrize("path", IN_ZOO, ids=lambda path: path.stem)
def test_a_config_equals_that_of_the_same_name_in_the_zoo(path):
    own = set().union(*(keys for pattern, keys in DELIBERATE_IN.items() if fnmatch.fnmatchcase(path.stem, pattern)))
    different = differences(flat_config(path), flat_config(STOCK[path.stem]))
    assert {key for key in different if not is_in(key, DELIBERATE | own)} == set()
    for pattern in DELIBERATE | own:  # none of them is out of date
        assert any(fnmatch.fnmatchcase(key, pattern) for key in different), pattern


@pytest.mark.parametrize("name", NOT_CITYSCAPES_IN_ZOO)
def test_a_config_for_other_data_than_the_zoos_has_its_model_and_its_recipe(name):
    ours = flat_config(recipes()[name])
    for part, source in zip(("model.", "recipe"), NOT_CITYSCAPES_IN_ZOO[name], strict=True):
        theirs = flat_config(STOCK[source])
        compared = ("model.",) if part == "model." else ("optim_wrapper", "param_scheduler", "train_cfg")
        different = {key for key in differences(ours, theirs) if key.startswith(compared)}
        of_the_data = {"*.num_classes", "model.data_preprocessor.size", "model.test_cfg.*"}
        assert {key for key in different if not is_in(key, of_the_data)} == set()
        if part == "recipe":
            assert ours["train_dataloader.batch_size"] == theirs["train_dataloader.batch_size"]


def read_header(path):
    """Return the fields of the comment that a config begins with."""
    found = HEADER.match(path.read_text())
    assert found, f"{path}: its header is not as in the other configs"
    return found.groupdict()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_header_of_a_config_has_its_command(path):
    num_gpus = int(re.search(r"_(\d+)xb\d+", path.stem)[1])
    file = path.relative_to(REPO)
    expected = f"tools/dist_train.sh {file} {num_gpus}" if num_gpus > 1 else f"python tools/train.py {file}"
    assert read_header(path)["command"] == expected


@pytest.fixture(scope="module")
def published():
    """Name of a config: folder and entry in the metafile."""
    metafiles = {path.parent.name: yaml.safe_load(path.read_text()) for path in STOCK_CONFIGS.glob("*/metafile.yaml")}
    return {entry["Name"]: (folder, entry) for folder, file in metafiles.items() for entry in file.get("Models", [])}


def test_the_headers_have_the_figures_of_the_metafiles(published):
    num_published = 0
    for path in CONFIGS:
        header = read_header(path)
        folder, entry = published.get(path.stem, (None, None))
        assert (header["source"] is None) == (entry is None), path
        if entry is not None:
            num_published += 1
            scores, memory = entry["Results"]["Metrics"], entry["Metadata"].get("Memory (GB)")
            assert header["source"] == f"configs/{folder}/metafile.yaml"
            assert header["mIoU"] == f"{scores['mIoU']:g}"
            tta = scores.get("mIoU(ms+flip)")
            assert header["tta"] == (f"{tta:g} %" if tta else "not published"), path
            assert header["memory"] == (f"{memory:g} GB per GPU" if memory else "not published"), path
            assert header["weights"] == entry["Weights"]
    assert num_published == len(IN_ZOO) > 30
