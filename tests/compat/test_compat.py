"""Each `test_defect…` fails when the stack has fixed the defect: then remove its repair in compat/__init__.py."""

import contextvars
import copy
import functools
import http.server
import importlib
import inspect
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.registry import VISUALIZERS
from mmengine.utils import get_object_from_string

from semseg import compat
from tests.conftest import raises, run_code

pytestmark = pytest.mark.slow


class RunsCode:
    def __reduce__(self):
        return (os.mkdir, ("code_was_run",))


class ReachesOut:
    """Gets an attribute that gives access to more than the allowed classes."""

    def __reduce__(self):
        return (getattr, (np.ndarray, "tofile"))


def in_fresh_python(code):
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)


def test_a_checkpoint_of_mmengine_loads(tmp_path):
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    content = {
        "state_dict": {"w": torch.ones(2)},
        "message_hub": {"log_scalars": {"loss": history}},
        "rng": np.arange(3, dtype=np.uint32),
        "best": np.float64(0.5),
    }
    torch.save(content, tmp_path / "a.pth")
    loaded = compat.load_checkpoint_file(tmp_path / "a.pth")
    assert loaded["message_hub"]["log_scalars"]["loss"].mean() == 1.5
    assert loaded["best"] == 0.5


@pytest.mark.parametrize("evil", [RunsCode(), ReachesOut()])
def test_a_checkpoint_that_carries_code_is_refused_and_the_code_not_run(tmp_path, monkeypatch, evil):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "extra": evil}, "evil.pth")
    with raises("E-checkpoint-code", r"evil\.pth"):
        compat.load_checkpoint_file("evil.pth")
    assert not (tmp_path / "code_was_run").exists()


def test_the_loader_of_mmengine_refuses_code_after_the_repair(tmp_path, monkeypatch):
    from mmengine.runner.checkpoint import CheckpointLoader

    monkeypatch.chdir(tmp_path)
    compat.repair()
    torch.save({"extra": RunsCode()}, "evil.pth")
    with raises("E-checkpoint-code"):
        CheckpointLoader.load_checkpoint("evil.pth")
    assert not (tmp_path / "code_was_run").exists()


def test_a_truncated_checkpoint_is_named(tmp_path):
    torch.save({"w": torch.ones(1000)}, tmp_path / "a.pth")
    (tmp_path / "a.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:2000])
    with raises("E-checkpoint-damaged", r"a\.pth"):
        compat.load_checkpoint_file(tmp_path / "a.pth")
    (tmp_path / "a.pth").write_bytes(b"")
    with raises("E-checkpoint-damaged", r"a\.pth"):
        compat.load_checkpoint_file(tmp_path / "a.pth")


def test_defect_mmengine_still_falls_back_to_running_code(tmp_path):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"extra": RunsCode()}))
    load = "from mmengine.runner.checkpoint import CheckpointLoader; CheckpointLoader.load_checkpoint('evil.pth')"
    run_code(tmp_path, load)
    assert (tmp_path / "code_was_run").exists(), "MMEngine no longer runs code: load_weights_only can be removed"


def test_defect_mmseg_still_prints_at_import_and_the_repair_silences_it():
    assert "OneDL" in in_fresh_python("import mmseg.datasets").stdout, "import_quietly can be removed"
    repaired = in_fresh_python("from semseg import compat; compat.repair()")
    assert repaired.stdout == repaired.stderr == ""


@pytest.mark.skipif(torch.cuda.is_available(), reason="the defects concern machines without a GPU")
def test_defect_processes_without_a_gpu_still_fail_in_mmengine(tmp_path):
    lone_rank = dict(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT="29577")
    code = "from mmengine.dist import init_dist; init_dist('pytorch', backend='gloo')"
    assert run_code(tmp_path, code, **lone_rank).returncode != 0, "init_cpu_process_group can be removed"
    code = "from semseg import compat; compat.init_cpu_process_group(); compat.init_cpu_process_group()"
    assert run_code(tmp_path, code, **lone_rank).returncode == 0


def test_defect_sync_bn_still_refuses_cpu_tensors(tmp_path):
    code = """
import torch
torch.distributed.init_process_group('gloo', init_method='tcp://127.0.0.1:29578', rank=0, world_size=1)
torch.nn.SyncBatchNorm(3)(torch.ones(2, 3, 4, 4))
"""
    assert "SyncBatchNorm expected input tensor" in run_code(tmp_path, code).stderr, "_replace_sync_bn can be removed"


def test_sync_bn_becomes_bn_everywhere_for_cpu_processes():
    model = dict(backbone=dict(norm_cfg=dict(type="SyncBN")), heads=[dict(norm_cfg=dict(type="SyncBN", eps=1))])
    before = copy.deepcopy(model)
    changed, wrapper = compat.prepare_for_cpu_processes(model)
    assert model == before
    assert changed == dict(backbone=dict(norm_cfg=dict(type="BN")), heads=[dict(norm_cfg=dict(type="BN", eps=1))])
    assert wrapper["device_ids"] is None


WEIGHTED_LOSS = """
import torch
from mmseg.models.losses import CrossEntropyLoss
scores, target = torch.rand(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
target[0, 0], weights = 255, [1.0, 2.0, 3.0]
found = CrossEntropyLoss(class_weight=weights, avg_non_ignore=True)(scores, target, ignore_index=255)
expected = torch.nn.functional.cross_entropy(scores, target, torch.tensor(weights), ignore_index=255)
torch.testing.assert_close(found, expected)
"""


def test_defect_class_weights_and_avg_non_ignore_still_break_in_mmseg(tmp_path):
    assert "IndexError" in run_code(tmp_path, WEIGHTED_LOSS).stderr, "average_weighted_losses can be removed"
    repaired = run_code(tmp_path, "from semseg import compat; compat.repair()" + WEIGHTED_LOSS)
    assert repaired.returncode == 0, repaired.stderr


def test_defect_every_rank_still_writes_the_scores(tmp_path):
    show = (
        "import inspect; from mmengine.hooks import LoggerHook; print(inspect.getsource(LoggerHook.after_test_epoch))"
    )
    source = run_code(tmp_path, show).stdout
    assert "dump(" in source
    assert "master" not in source, "write_scores_once can be removed"
    compat.repair()
    from mmengine.hooks import LoggerHook

    assert hasattr(LoggerHook.after_test_epoch, "__wrapped__")


def test_defect_mmengine_still_formats_a_config_at_every_access(monkeypatch):
    from yapf.yapflib import yapf_api

    texts, stock = [], inspect.unwrap(yapf_api.FormatCode)
    monkeypatch.setattr(yapf_api, "FormatCode", lambda text, **style: texts.append(text) or stock(text, **style))
    cfg = Config(dict(model=dict(type="A"), sizes=[1, 2]))
    stock_text = inspect.unwrap(Config.pretty_text.fget)
    assert stock_text(cfg) == stock_text(cfg)
    assert len(texts) == 2, "format_configs_once can be removed"
    compat.format_configs_once()
    assert cfg.pretty_text == cfg.pretty_text == stock_text(cfg)
    assert len(texts) == 3
    cfg.sizes = [3]
    assert cfg.pretty_text == "model = dict(type='A')\nsizes = [\n    3,\n]\n"


def test_defect_mmengine_still_gives_a_run_the_visualizer_of_an_earlier_one():
    compat.repair()
    settings = dict(type="mmseg.SegLocalVisualizer", name="of_two_runs", vis_backends=[])
    first = VISUALIZERS.build(settings)
    assert VISUALIZERS.build(settings) is first, "forget_visualizer can be removed"
    compat.forget_visualizer(dict(visualizer=settings))
    assert VISUALIZERS.build(settings) is not first
    compat.forget_visualizer(dict(visualizer=settings))
    compat.forget_visualizer({})


def test_defect_san_still_blames_something_else_where_the_weights_of_clip_are_left_out(tmp_path):
    build = "; from mmseg.models.decode_heads.san_head import RecWithAttnbias; RecWithAttnbias().init_weights(None)"
    stock = run_code(tmp_path, "import mmseg.models" + build)
    assert "'super' object has no attribute 'init_weights'" in stock.stderr, "refuse_san_without_clip can be removed"
    repaired = run_code(tmp_path, "from semseg import compat; compat.repair()" + build)
    assert "ValueError: SAN cannot learn from scratch: set model.decode_head.init_cfg.checkpoint" in repaired.stderr


def test_a_config_as_text_is_removed_from_a_checkpoint(tmp_path):
    # Runner.resume would execute it
    torch.save({"meta": {"config": "import os; os.mkdir('x')", "iter": 3}}, tmp_path / "a.pth")
    assert compat.load_checkpoint_file(tmp_path / "a.pth")["meta"] == {"iter": 3}


def test_defect_resuming_still_executes_a_config_in_the_checkpoint():
    from mmengine.runner import Runner

    assert "Config.fromstring" in inspect.getsource(Runner.resume), "load_checkpoint_file need not remove it"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\0" * 99,
        b"classes:\n- land\n- sea\n",
    ],
)
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with raises("E-checkpoint-damaged", r"a\.pth .*\([^)]+\)") as caught:
        compat.load_checkpoint_file(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)


def test_only_trust_loads_a_checkpoint_that_carries_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "extra": RunsCode()}, "evil.pth")
    with raises("E-checkpoint-code", r"\(posix\.mkdir\) .*`trust_checkpoint`"):
        compat.load_checkpoint_file("evil.pth")
    context = contextvars.copy_context()
    context.run(compat.trust_checkpoints)
    assert context.run(compat.load_checkpoint_file, "evil.pth")["state_dict"] == {}
    assert (tmp_path / "code_was_run").is_dir()
    assert not compat.checkpoints_are_trusted()  # outside of that context
    with ThreadPoolExecutor(1) as pool, raises("E-checkpoint-code"):
        context.run(pool.submit, compat.load_checkpoint_file, "evil.pth").result()  # a thread has a context of its own


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Yield the address of a web server for the folder `tmp_path/site`."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    (tmp_path / "site").mkdir()
    handler = functools.partial(Quiet, directory=tmp_path / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_download_that_carries_code_is_refused_too(tmp_path, monkeypatch, site):
    from mmengine.runner.checkpoint import CheckpointLoader

    monkeypatch.chdir(tmp_path)
    compat.repair()
    torch.save({"w": torch.ones(2)}, "site/good.pth")
    torch.save({"extra": RunsCode()}, "site/evil.pth")
    assert CheckpointLoader.load_checkpoint(f"{site}/good.pth", "cpu")["w"].tolist() == [1, 1]
    with raises("E-checkpoint-code", r"http://\S+/evil\.pth"):
        CheckpointLoader.load_checkpoint(f"{site}/evil.pth", "cpu")
    assert not (tmp_path / "code_was_run").exists()


def test_defect_mmengine_still_loads_downloads_with_their_code():
    from torch.utils.model_zoo import load_url  # what MMEngine calls

    assert inspect.signature(load_url).parameters["weights_only"].default is False, "load_url need not be replaced"


def test_defect_a_registry_still_calls_what_is_not_registered(tmp_path, monkeypatch):
    import mmengine.registry.registry as stock

    # an earlier test may have repaired this process; monkeypatch restores that at the end
    monkeypatch.setattr(stock, "get_object_from_string", get_object_from_string)
    monkeypatch.setattr(stock, "import_module", importlib.import_module)
    hostile = dict(type="os.mkdir", path=str(tmp_path / "a"))
    stock.Registry("parts").build(hostile)
    assert (tmp_path / "a").is_dir(), "use_registered_names_only can be removed"
    (tmp_path / "a").rmdir()
    context = contextvars.copy_context()
    context.run(compat.use_registered_names_only)
    with pytest.raises(KeyError, match=r"os\.mkdir is not in the"):
        context.run(stock.Registry("parts").build, hostile)
    assert not (tmp_path / "a").exists()
    stock.Registry("parts").build(hostile)  # nothing is changed outside of that context
    assert (tmp_path / "a").is_dir()
