"""Trackers with a store of their own on the disk: MLflow in SQLite, Weights & Biases offline."""

import json
import os
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmseg.registry import HOOKS

from semseg.checkpoints.plain import without_secrets
from semseg.config import load_config
from semseg.training.tracker_backends import finite_numbers
from tests.conftest import CONFIG, SHORT, raises, run
from tests.training.asked import asked
from tests.training.toy_runs import log_of, toy_runner

KEY = "0123456789abcdef" * 2 + "01234567"


@HOOKS.register_module()
class DamageHook(Hook):
    """Replace a file by something else after an iteration."""

    def __init__(self, path, after_iter):
        self.path, self.after_iter = Path(path), after_iter

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.after_iter:
            for path in self.path.parent.glob(f"{self.path.name}*"):
                path.write_bytes(b"no database " * 1000)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory):
    """A database of MLflow without runs: it takes seconds to create the tables."""
    mlflow = pytest.importorskip("mlflow", reason="pip install -e '.[mlflow]'")
    pytest.importorskip("sqlalchemy", reason="pip install -e '.[mlflow]'")
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def mlflow(tmp_path, empty_store, monkeypatch):
    """MLflow's client, with a store in an empty folder, which the trackers use too."""
    import mlflow

    shutil.copy(empty_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)  # the pictures are written to the working folder
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def tracked_run(work_dir, *names, hooks=(), **options):
    backends = [dict(type="LocalVisBackend"), dict(type="TrackersVisBackend", names=names)]
    hooks = [dict(type="TrackersHook"), *hooks]
    return toy_runner(
        work_dir, hooks=hooks, visualizer=dict(type="Visualizer", vis_backends=backends), scores=[1, 2, 3], **options
    )


def runs_of(client, project="semseg"):
    return client.search_runs([client.get_experiment_by_name(project).experiment_id])


def steps_of(client, run_id, key):
    return [metric.step for metric in client.get_metric_history(run_id, key)]


def wandb_records(path):
    """Yield the records of a file of W&B: a log of blocks of 32 KiB, as LevelDB writes it."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, position, part = Path(path).read_bytes(), 7, b""
    while position + 7 <= len(content):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + 7])
        part += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # all of a record, or its last part
            record = Record()
            record.ParseFromString(part)
            part = b""
            yield record


def wandb_rows(path):
    items = [record.history.item for record in wandb_records(path) if record.WhichOneof("record_type") == "history"]
    return [{(".".join(i.nested_key) or i.key): json.loads(i.value_json) for i in row} for row in items]


@pytest.mark.slow
def test_mlflow_and_wandb_get_class_scores_losses_pictures_and_the_config(town, tmp_path, mlflow, monkeypatch):
    pytest.importorskip("wandb", reason="pip install -e '.[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    work_dir = tmp_path / "tracked"
    (tmp_path / "data").symlink_to(town / "data")
    command = ["train.py", CONFIG, "--work-dir", work_dir, "--seed", 0, "--no-check", "--track", "mlflow,wandb"]
    run(tmp_path, *command, *SHORT, "custom_hooks.0.num_samples=2")
    (tracked,) = runs_of(mlflow)
    assert (tracked.info.run_name, tracked.info.status) == ("tracked", "FINISHED")
    assert tracked.data.params["optim_wrapper.optimizer.type"] == "AdamW"
    run_id = tracked.info.run_id
    assert steps_of(mlflow, run_id, "loss") == [1, 2, 3, 4]
    assert steps_of(mlflow, run_id, "IoU/road") == steps_of(mlflow, run_id, "mIoU") == [2, 4]
    pictures = {Path(item.path).name.partition("+timestamp")[0] for item in mlflow.list_artifacts(run_id, "images")}
    assert "contact_sheet+step+0" in pictures
    assert {name.rpartition("+")[2] for name in pictures if name.startswith("val_panels")} == {"2", "4"}
    assert "max_iters=4" in Path(mlflow.download_artifacts(run_id, "config.py")).read_text()

    ids = json.loads((work_dir / "trackers.json").read_text())
    assert ids["mlflow"] == run_id
    (stored,) = work_dir.glob(f"wandb/offline-run-*/run-{ids['wandb']}.wandb")
    rows = wandb_rows(stored)
    assert [row["iteration"] for row in rows if "loss" in row] == [1, 2, 3, 4]
    scores = mlflow.get_metric_history(run_id, "IoU/car")
    assert [row["IoU/car"] for row in rows if "IoU/car" in row] == [metric.value for metric in scores]
    assert len([row for row in rows if any(key.startswith("val_panels/") for key in row)]) == 2 * 3
    (started,) = [one.run for one in wandb_records(stored) if one.WhichOneof("record_type") == "run"]
    assert (started.display_name, started.project) == ("tracked", "semseg")

    holding = [path for path in work_dir.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert not holding  # log, config, checkpoints, and the files of W&B

    run(tmp_path, *command, "--resume", *SHORT, "train_cfg.max_iters=6")
    (resumed,) = runs_of(mlflow)
    assert (resumed.info.run_id, resumed.info.status) == (run_id, "FINISHED")
    assert steps_of(mlflow, run_id, "loss") == [1, 2, 3, 4, 5, 6]
    _, later = sorted(work_dir.glob(f"wandb/offline-run-*/run-{ids['wandb']}.wandb"))
    assert [row["iteration"] for row in wandb_rows(later) if "loss" in row] == [5, 6]


def test_a_tracker_that_fails_later_is_one_warning_and_the_training_goes_on(tmp_path, mlflow):
    damage = dict(type="DamageHook", path=str(tmp_path / "mlflow.db"), after_iter=2)
    runner = tracked_run(tmp_path / "run", "mlflow", hooks=[damage])
    runner.train()
    assert runner.iter == 6
    warnings = [line for line in log_of(runner).splitlines() if "WARNING" in line and "mlflow" in line]
    assert len(warnings) == 2
    assert "mlflow failed (" in warnings[0]
    assert "training continues and will retry later" in warnings[0]
    assert "8 records were not sent to mlflow" in warnings[1]  # 5 losses and 3 scores


def test_a_tracker_that_cannot_start_ends_a_new_training_without_its_password(tmp_path, mlflow, monkeypatch):
    import mlflow as library

    uri = "http://somebody:hunter2@127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    library.set_tracking_uri(uri)
    runner = tracked_run(tmp_path / "run", "mlflow")
    with raises("E-config-tracker", "`track` mlflow cannot start .*127.0.0.1") as caught:
        runner.train()
    assert "hunter2" not in str(caught.value)
    assert "somebody" not in str(caught.value)
    assert "hunter2" not in log_of(runner)


def test_a_tracker_that_cannot_start_does_not_stop_a_training_that_is_continued(tmp_path, mlflow, monkeypatch):
    tracked_run(tmp_path / "run", "mlflow", max_iters=2).train()
    (first,) = runs_of(mlflow)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "no number")  # for the run that replaces one that is gone
    (tmp_path / "run/trackers.json").write_text('{"mlflow": "gone"}')
    resumed = tracked_run(tmp_path / "run", "mlflow", max_iters=4, resume=tmp_path / "run/iter_2.pth")
    resumed.train()
    assert resumed.iter == 4
    assert "mlflow failed (" in log_of(resumed)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    tracked_run(tmp_path / "run", "mlflow", max_iters=6, resume=tmp_path / "run/iter_4.pth").train()
    assert [one.info.status for one in runs_of(mlflow) if one.info.run_id != first.info.run_id] == ["FINISHED"]


def test_a_training_that_fails_is_not_shown_as_finished(tmp_path, mlflow):
    runner = tracked_run(tmp_path / "run", "mlflow", max_iters=2)
    runner.call_hook("before_run")
    runner.train_loop  # noqa: B018  builds it
    backend = runner.visualizer.get_backend("TrackersVisBackend")
    assert backend.start(runner.cfg, False) is None
    runner.visualizer.close()  # as at the end of a run that is stopped, and of the process
    (stopped,) = runs_of(mlflow)
    assert stopped.info.status == "KILLED"


def test_names_of_classes_that_mlflow_refuses_are_changed(tmp_path, mlflow):
    runner = tracked_run(tmp_path / "run", "mlflow")
    backend = runner.visualizer.get_backend("TrackersVisBackend")
    assert backend.start(Config(dict(work_dir=str(tmp_path))), False) is None
    backend.add_scalars({"IoU/sky (blue)": 12.5, "IoU/köln": 3}, 7)
    backend.add_image("val_panels/a&b", np.zeros((8, 8, 3), np.uint8), 7)
    backend.close(is_complete=True)
    (run,) = runs_of(mlflow)
    assert {key: run.data.metrics[key] for key in run.data.metrics if "IoU" in key} == {
        "IoU/sky _blue_": 12.5,
        "IoU/köln": 3.0,
    }
    assert "were not sent to mlflow" not in log_of(runner)


def test_secrets_in_the_config_are_hidden_from_the_trackers(tmp_path, mlflow):
    runner = tracked_run(tmp_path / "run", "mlflow", api_key=KEY, server=f"https://me:{KEY}@host/x")
    runner.train()
    (run,) = runs_of(mlflow)
    assert run.data.params["server"] == "https://***@host/x"
    assert KEY not in str(run.data.params)
    assert KEY not in Path(mlflow.download_artifacts(run.info.run_id, "config.py")).read_text()


@pytest.mark.slow
def test_aim_takes_all_records(tmp_path, monkeypatch):
    aim = pytest.importorskip("aim", reason="pip install -e '.[aim]'")
    from aim.storage.context import Context

    monkeypatch.chdir(tmp_path)
    runner = tracked_run(tmp_path / "run", "aim")
    runner.visualizer.get_backend("TrackersVisBackend").add_image("contact_sheet", np.zeros((8, 8, 3), np.uint8), 0)
    runner.train()
    run_hash = json.loads((tmp_path / "run/trackers.json").read_text())["aim"]
    run = aim.Run(run_hash, repo=str(tmp_path))
    values = {metric.name: metric.values.sparse_list()[1] for metric in run.metrics()}
    assert (len(values["loss"]), sorted(values["mIoU"])) == (6, [1, 2, 3])
    assert run.get_image_sequence("contact_sheet", Context({})) is not None
    run.close()
    assert "failed (" not in log_of(runner)


def test_track_adds_one_backend_beside_the_others():
    pytest.importorskip("mlflow", reason="pip install -e '.[mlflow]'")
    cfg = load_config(CONFIG)
    changed = asked(cfg, "trackers", track=["mlflow", "mlflow"])
    assert changed.visualizer.vis_backends[:-1] == cfg.visualizer.vis_backends
    assert changed.visualizer.vis_backends[-1] == dict(type="TrackersVisBackend", names=["mlflow"])
    again = asked(changed, "trackers", track="mlflow")
    assert again.visualizer.vis_backends == changed.visualizer.vis_backends
    assert asked(cfg, "trackers").visualizer == cfg.visualizer


def test_a_wrong_tracker_is_one_sentence(tmp_path, monkeypatch):
    cfg = load_config(CONFIG)
    with raises("E-config-value", "'mlfow'.* mlflow, wandb, clearml, aim"):
        asked(cfg, "trackers", track=["mlfow"])
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in ("wandb", "aim"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "wandb").mkdir()  # as W&B leaves it in the working folder
    for name in ("wandb", "aim"):
        with raises("E-config-package", rf"`track` {name} .*\[{name}\]"):
            asked(cfg, "trackers", track=[name])


def test_trackers_of_the_config_are_not_used_twice():
    pytest.importorskip("wandb", reason="pip install -e '.[wandb]'")
    cfg = load_config(CONFIG, ["visualizer.vis_backends.1.type=WandbVisBackend"])
    with raises("E-config-conflict", "WandbVisBackend"):
        asked(cfg, "trackers", track=["wandb"])


def test_values_that_are_no_finite_numbers_are_left_out():
    import torch

    values = {"a": 1, "b": float("nan"), "c": None, "d": torch.tensor(2.0), "e": "text", "f": np.float32(0.5)}
    assert finite_numbers(values) == {"a": 1.0, "d": 2.0, "f": 0.5}


def test_secrets_are_replaced_in_texts_of_others(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", KEY)
    text = f"http://me:word@host/x?token=abc&step=3 failed with {KEY} in {os.environ['PATH']}"
    assert without_secrets(text) == f"http://***@host/x?token=***&step=3 failed with *** in {os.environ['PATH']}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql+pymysql://joe:p/w@host/db", "mysql+pymysql://***@host/db"),
        ("https://token@host/x", "https://***@host/x"),
        ("http://host:8000/models@v1/x.pth", "http://host:8000/models@v1/x.pth"),
    ],
)
def test_users_and_passwords_in_urls_are_hidden_and_paths_stay(text, shown):
    assert without_secrets(text) == shown
