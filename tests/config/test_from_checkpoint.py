"""A config from a checkpoint: it has all that a test needs, and nothing that is not trusted."""

import copy
import hashlib
import importlib.util
import pickle
import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS, TRANSFORMS

from semseg import compat, config
from semseg.config.from_checkpoint import leave_out_pretrained
from semseg.evaluation import for_testing
from semseg.training import for_training
from tests.checkpoints.described import checkpoint, describe, save, small_config
from tests.config.plugins import forget_plugins
from tests.conftest import CONFIG, raises

URL = "http://127.0.0.1:9/a.pth"  # the discard port, which is closed


@pytest.fixture(scope="module")
def content():
    return checkpoint()


def with_config(path, content, **values):
    """Save the checkpoint with other values in its config; `__` stands for a dot."""
    content = {**content, "meta": copy.deepcopy(content["meta"])}
    for key, value in values.items():
        *parents, last = key.split("__")
        node = content["meta"]["semseg"]["config"]
        for part in parents:
            node = node[int(part) if part.isdigit() else part]
        node[last] = value
    return save(path, content)


def test_the_model_and_its_test_are_those_of_the_config(tmp_path, content):
    loaded, expected = config.load_config(save(tmp_path / "a.pth", content)), small_config()
    leave_out_pretrained(expected.model)
    expected.model.pop("pretrained")
    assert loaded.model == expected.model
    assert isinstance(loaded.model.backbone.dilations, tuple)
    for key in ("type", "data_root", "data_prefix", "pipeline"):
        assert loaded.test_dataloader.dataset[key] == expected.test_dataloader.dataset[key], key
    assert loaded.test_evaluator == expected.test_evaluator
    assert loaded.tta_pipeline[1] == expected.tta_pipeline[1]
    assert {hook.type for hook in loaded.custom_hooks} == {"ProgressBarHook", "ChannelsLastHook"}
    assert loaded.work_dir == f"work_dirs/{CONFIG.stem}"
    assert not {"train_dataloader", "train_cfg", "optim_wrapper", "custom_imports", "load_from"} & set(loaded)


def test_options_are_checked_and_applied_as_with_a_config_file(tmp_path, content):
    path = save(tmp_path / "a.pth", content)
    options = ["test_dataloader.dataset.data_root=elsewhere", "model.test_cfg.mode=whole"]
    cfg = config.load_config(path, options, work_dir="w")
    assert (cfg.test_dataloader.dataset.data_root, cfg.work_dir) == ("elsewhere", "w")
    with raises("E-config-key", r"ResNetV1c .* 'dept'; did you mean 'depth'\?"):
        config.load_config(path, ["model.backbone.dept=3"])


def test_it_can_be_used_for_a_test_and_a_prediction_but_not_for_a_training(tmp_path, content):
    path = save(tmp_path / "a.pth", content)
    cfg = config.load_config(path)
    tested = for_testing(cfg, path, tta=True, show_dir="show")
    assert tested.model.type == "SegTTAModel"
    assert {"StrictWeightsHook", "PanelHook"} <= {hook.type for hook in tested.custom_hooks}
    config.for_inference(cfg, path)
    with pytest.raises(ValueError, match="nothing to train on: a training needs a config, which a checkpoint does not"):
        for_training(cfg)


def test_a_checkpoint_without_description_asks_for_the_config(tmp_path):
    path = save(tmp_path / "plain.pth", {"meta": {"cfg": "model = 3"}, "state_dict": {}})
    with raises("E-checkpoint-description", r"plain\.pth .* config"):
        config.load_config(path)
    with raises("E-checkpoint-missing", r"none\.pth; .* plain\.pth"):
        config.load_config(tmp_path / "none.pth")


def test_a_metric_of_another_kind_needs_the_config(tmp_path, content):
    evaluator = {"type": "CityscapesMetric", "output_dir": str(tmp_path / "mine"), "keep_results": False}
    path = with_config(tmp_path / "a.pth", content, test_evaluator=evaluator)
    config.for_inference(config.load_config(path), path)
    with pytest.raises(ValueError, match=r"a\.pth contains no evaluation settings; add the config"):
        for_testing(config.load_config(path), path)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("model__backbone__type", "os.system", r"model\.backbone\.type is 'os\.system', which is not a part of"),
        ("model__backbone__type", "antigravity", "which is not a part of MMSegmentation or this project"),
        ("model__backbone__type", "mmengine.fileio.load", "which is not a part of MMSegmentation"),
        ("model__type", "DumpResults", "which is not a part of"),  # a metric, and no model
        ("model__backbone__type", "VPD", "which builds what another file or site names"),
        ("model__backbone__type", ["ResNet"], "which is not a part of"),
        ("model__neck", {"type": "evil.Neck"}, r"model\.neck\.type is 'evil\.Neck'"),
        (
            "test_dataloader__dataset__type",
            "DecathlonDataset",
            "which reads more than folders and lists of names",
        ),  # pickles
        ("test_dataloader__dataset__type", "DSDLSegDataset", "which reads more than folders"),
        (
            "test_dataloader__dataset__data_root",
            URL,
            r"data_root is 'http:.*', and nothing is fetched for a checkpoint",
        ),
        ("test_dataloader__dataset__pipeline__1__type", "subprocess.run", r"pipeline\.1\.type is 'subprocess\.run'"),
        ("test_dataloader__dataset__pipeline__1__resize_type", "os.system", r"resize_type is 'os\.system'"),
        ("test_dataloader__dataset__pipeline__0__decode_backend", "pickle", "is 'pickle', which can run code"),
        ("tta_pipeline__1__transforms__0__0__type", "os.system", r"tta_pipeline\.1\.transforms\.0\.0\.type is"),
        ("model__backbone__a': os.abort(), 'b", 1, "is no name"),
        ("model__backbone__depth", torch.ones(1), "is a Tensor, not plain data"),
    ],
)
def test_a_hostile_config_is_refused_in_one_sentence(tmp_path, content, key, value, fault):
    path = with_config(tmp_path / "evil.pth", content, **{key: value})
    with raises("E-checkpoint-unsafe", rf"evil\.pth .*{fault}.*config that it was trained with"):
        config.load_config(path)


class MakesAFolder:
    def __reduce__(self):
        import os

        return (os.mkdir, ("code_was_run",))


def test_values_that_would_import_run_fetch_or_delete_are_left_out(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "planted.py").write_text("import os; os.mkdir('module_was_imported')")
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps(MakesAFolder()))
    path = with_config(
        tmp_path / "evil.pth",
        content,
        custom_imports={"imports": ["planted"]},
        default_scope="planted",
        model___scope_="planted",
        model__pretrained=URL,
        model__backbone__init_cfg={"type": "Pretrained", "checkpoint": URL},
        model__decode_head__loss_decode__class_weight="weights.pkl",  # MMSegmentation reads pickles there
        test_dataloader__collate_fn={"type": "os.abort"},
        test_dataloader__dataset__pipeline__0__backend_args={"backend": "memcached", "sys_path": str(tmp_path)},
        test_evaluator={"type": "IoUMetric", "output_dir": str(tmp_path / "mine")},
        visualizer={"type": "planted.Visualizer"},
        custom_hooks=[{"type": "planted.Hook"}, {"type": "CheckpointHook", "out_dir": "mine"}],
        env_cfg={"dist_cfg": {"backend": "planted"}},
        load_from=URL,
        resume=True,
        launcher="mpi",
    )
    cfg = for_testing(config.load_config(path), path)
    MODELS.build(cfg.model)
    TRANSFORMS.build(cfg.test_dataloader.dataset.pipeline[0])
    text = cfg.pretty_text
    assert not any(word in text for word in ("planted", "127.0.0.1", "pkl", "abort", "memcached", "mine", "mpi"))
    assert "planted" not in sys.modules
    assert not (tmp_path / "code_was_run").exists()
    assert not (tmp_path / "module_was_imported").exists()
    assert cfg.load_from == str(path)


def test_a_name_that_nothing_is_registered_under_is_not_called(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "planted.py").write_text("import os; os.mkdir('module_was_imported')")
    hostile = [dict(type="os.mkdir", path="called"), dict(type="planted"), dict(type="planted.Model")]
    config.load_config(save(tmp_path / "a.pth", content))
    for node in hostile:
        for registry in (MODELS, DATASETS, TRANSFORMS):
            with pytest.raises(KeyError, match="is not in the mmseg::"):
                registry.build(node)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir() and path.name != "__pycache__"] == []


def test_only_a_trusted_checkpoint_imports_its_modules(tmp_path, monkeypatch, content):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_parts.py").write_text(
        "import torch\nfrom mmseg.registry import MODELS\n\n"
        "@MODELS.register_module()\nclass OwnBackbone(torch.nn.Identity):\n    pass\n"
    )
    path = with_config(
        tmp_path / "a.pth", content, custom_imports={"imports": ["own_parts"]}, model__backbone={"type": "OwnBackbone"}
    )
    with raises("E-checkpoint-plugin", r"a\.pth needs 'OwnBackbone' .*`plugins` own_parts"):
        config.load_config(path)
    compat.trust_checkpoints()
    assert config.load_config(path).model.backbone.type == "OwnBackbone"
    MODELS.module_dict.pop("OwnBackbone")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A plugin with a backbone, a metric and a data set, and a checkpoint that was made with it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    path = tmp_path / "parts/own-net.py"
    path.parent.mkdir()
    path.write_text(OWN_NET)
    yield path
    forget_plugins(before, tmp_path)


OWN_NET = """import torch
from mmengine.evaluator import BaseMetric
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS, METRICS, MODELS

@MODELS.register_module()
class OwnNet(torch.nn.Identity):
    pass

@METRICS.register_module()
class OwnMetric(BaseMetric):
    pass

@DATASETS.register_module()
class OwnDataset(BaseSegDataset):
    def load_data_list(self):
        return []
"""


def test_a_checkpoint_asks_for_the_plugin_that_it_names_and_imports_nothing_by_itself(
    tmp_path, monkeypatch, content, own
):
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    path = with_config(
        tmp_path / "a.pth",
        content,
        plugins=[{"name": "own-net.py", "sha256": digest}],
        model__backbone={"type": "OwnNet"},
        test_dataloader__dataset__type="OwnDataset",
        test_evaluator=[{"type": "IoUMetric", "iou_metrics": ["mDice"]}, {"type": "OwnMetric", "prefix": "own"}],
    )
    monkeypatch.chdir(own.parent)  # the file is at hand, and yet not taken
    message = (
        r"a\.pth needs 'OwnNet' \(model\.backbone\.type\), .*no checkpoint contains code: add `plugins` own-net\.py"
    )
    with raises("E-checkpoint-plugin", message):
        config.load_config(path)
    assert "own-net" not in sys.modules
    cfg = config.load_config(path, plugins=["own-net.py"])
    assert cfg.model.backbone.type == "OwnNet"
    assert [evaluator.type for evaluator in cfg.test_evaluator] == ["ConfusionMetric", "OwnMetric"]
    assert cfg.test_evaluator[0].iou_metrics == ["mDice"]
    assert cfg.plugins == [{"name": "own-net.py", "sha256": digest}]


def test_a_changed_or_renamed_plugin_is_taken_and_only_the_changed_one_is_a_warning(tmp_path, content, own, caplog):
    records = [{"name": "own-net.py", "sha256": hashlib.sha256(own.read_bytes()).hexdigest()}]
    path = with_config(tmp_path / "a.pth", content, plugins=records)
    renamed = own.rename(own.with_name("net2.py"))
    config.for_inference(config.load_config(path, plugins=[renamed]), path)
    assert "version of the plugin" not in caplog.text
    forget_plugins(set(sys.modules), tmp_path)
    own.write_text(OWN_NET + "# more\n")
    config.for_inference(config.load_config(path, plugins=[own]), path)
    assert re.search(
        r"a\.pth was made with another version of the plugin own-net\.py \(SHA-256 \w{8}, and", caplog.text
    )


def test_a_metric_of_a_plugin_that_is_not_given_is_asked_for_by_a_test_and_not_by_a_prediction(tmp_path, content):
    evaluators = [{"type": "IoUMetric"}, {"type": "OwnMetric"}]
    records = [{"name": "parts/own-net.py", "sha256": None}, {"name": 3}, "x"]
    path = with_config(tmp_path / "a.pth", content, plugins=records, test_evaluator=evaluators)
    config.for_inference(config.load_config(path), path)
    with raises("E-checkpoint-no-config", r"add `plugins` own-net\.py, or the config"):
        for_testing(config.load_config(path), path)


def test_a_record_of_plugins_can_neither_import_nor_control_the_terminal(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "planted.py").write_text("import os; os.mkdir('module_was_imported')")
    names = ["planted", "planted.py", str(tmp_path / "planted.py"), "a\x1b[2Jb.py"]
    path = with_config(
        tmp_path / "a.pth",
        content,
        plugins=[{"name": name, "sha256": None} for name in names],
        model__backbone={"type": "Planted"},
    )
    with raises("E-checkpoint-plugin", r"add `plugins` planted `plugins` planted\.py .* a\?\[2Jb\.py"):
        config.load_config(path)
    assert not (tmp_path / "module_was_imported").exists()


def test_pretrained_weights_are_left_out_wherever_they_are():
    model = dict(
        pretrained=URL,
        backbone=dict(init_cfg=dict(type="Pretrained", checkpoint=URL)),
        heads=[dict(init_cfg=[dict(type="Pretrained", checkpoint=URL)]), dict(init_cfg=dict(type="Normal", std=0.1))],
    )
    leave_out_pretrained(model)
    assert model == dict(
        pretrained=None,
        backbone=dict(init_cfg=None),
        heads=[dict(init_cfg=None), dict(init_cfg=dict(type="Normal", std=0.1))],
    )


def test_another_number_of_classes_is_named_with_both(tmp_path, content):
    path = save(tmp_path / "a.pth", content)
    five = "train_dataloader.dataset.metainfo.classes=[a,b,c,d,e]"
    others = [five, five.replace("train", "val", 1), five.replace("train", "test", 1)]
    cfg = small_config(*others, "model.decode_head.num_classes=5", "model.auxiliary_head.num_classes=5")
    message = (
        r"a\.pth holds a model of 19 classes \(road, sidewalk, building and 16 more\), .*128x256\.py has 5"
        r" \(a, b, c and 2 more\): use the config or the `data` that it was trained with, or no config at all"
    )
    with pytest.raises(ValueError, match=message):
        config.for_inference(cfg, path)
    del content["meta"]["semseg"], content["meta"]["dataset_meta"]  # one that knows no names
    path = save(tmp_path / "b.pth", content)
    for finish in (config.for_inference, for_testing):
        with pytest.raises(
            ValueError, match=r"b\.pth holds a model of 19 classes, .*py has 5 \(a, b, c and 2 more\): "
        ):
            finish(cfg, path)


@pytest.mark.slow  # half a minute
def test_one_config_of_every_model_that_mmsegmentation_ships_comes_back(tmp_path):
    stock = Path(importlib.util.find_spec("mmseg").origin).parent / ".mim/configs"
    families = [folder for folder in sorted(stock.iterdir()) if folder.is_dir() and folder.name != "_base_"]
    refused = set()
    for family in families:
        path = sorted(family.glob("*.py"))[0]
        try:
            cfg = Config.fromfile(path)
        except ImportError:  # needs a package that is not installed
            continue
        saved = save(tmp_path / "a.pth", {"meta": {"semseg": describe(cfg)}, "state_dict": {}})
        try:
            assert config.load_config(saved).model.type == cfg.model.type
        except ValueError as error:
            refused.add(
                (family.name, re.search(r"type is '(\S+)',|\((\w+)\) needs the operator", str(error)).group(1, 2))
            )
    without_mmdet = (
        {("maskformer", ("mmdet.PixelDecoder", None))} if importlib.util.find_spec("mmdet") is None else set()
    )
    assert refused == {
        ("dsdl", ("DSDLSegDataset", None)),
        ("psanet", (None, "PSAHead")),
        ("vpd", ("VPD", None)),
        *without_mmdet,
    }
