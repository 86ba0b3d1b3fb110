"""Panels of a test: MMEngine's Runner over a small folder of pictures."""

import itertools
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

import semseg.plugins  # noqa: F401
from semseg.system import atomic
from semseg.system.background import Writers
from tests.conftest import raises
from tests.training.squares import MODEL

HEIGHT, WIDTH = 48, 96
NAMES = [*(f"north/{i}" for i in range(6)), *(f"south/{i}" for i in range(6))]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A folder with `images` and `masks`, each with two sub-folders."""
    root = tmp_path_factory.mktemp("street")
    random = np.random.default_rng(0)
    for name in NAMES:
        for folder, shape, high in (("images", (HEIGHT, WIDTH, 3), 256), ("masks", (HEIGHT, WIDTH), 3)):
            path = root / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, high, shape, np.uint8)).save(path)
    return root


def run_test(street, tmp_path, **hook):
    pipeline = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), dict(type="PackSegInputs")]
    dataset = dict(
        type="BaseSegDataset",
        data_root=str(street),
        data_prefix=dict(img_path="images", seg_map_path="masks"),
        img_suffix=".png",
        metainfo=dict(classes=("a", "b", "c"), palette=[[255, 0, 0], [0, 255, 0], [0, 0, 255]]),
        pipeline=pipeline,
    )
    cfg = Config(
        dict(
            default_scope="mmseg",
            model=dict(MODEL, test_cfg=dict(mode="whole")),
            work_dir=str(tmp_path / "work"),
            test_dataloader=dict(batch_size=2, num_workers=0, dataset=dataset, sampler=dict(type="DefaultSampler")),
            test_cfg=dict(type="TestLoop"),
            test_evaluator=dict(type="IoUMetric"),
            custom_hooks=[dict(type="PanelHook", **hook)],
            experiment_name=f"street_{next(_numbers)}",
        )
    )
    Runner.from_cfg(cfg).test()


@pytest.mark.slow
def test_a_test_draws_every_image_in_its_sub_folder_and_all_are_written_when_it_ends(street, tmp_path):
    before = set(threading.enumerate())  # other tests leave some
    run_test(street, tmp_path, show_dir=str(tmp_path / "show"))
    paths = [path for path in (tmp_path / "show").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path / "show").as_posix() for path in paths) == [f"{n}.jpg" for n in NAMES]
    panel = np.asarray(Image.open(paths[0]))
    assert panel.shape[0] > 2 * HEIGHT and panel.shape[1] > 2 * WIDTH
    assert not [thread for thread in set(threading.enumerate()) - before if "ThreadPool" in thread.name]


@pytest.mark.slow
def test_without_show_dir_nothing_is_drawn(street, tmp_path):
    run_test(street, tmp_path)
    assert not list(tmp_path.rglob("*.jpg"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_reported_in_one_sentence(street, tmp_path):
    folder = tmp_path / "show/north"
    folder.mkdir(parents=True)
    (folder / f".3.{os.getpid()}-{atomic._START}.tmp.jpg").symlink_to("/dev/full")
    with raises("E-disk-full", r"^cannot write .*/show/north/3.jpg \(no space left on device\): make room there"):
        run_test(street, tmp_path, show_dir=str(tmp_path / "show"))
    assert not (folder / "3.jpg").exists()


def test_writers_block_when_their_queue_is_full_and_finish_everything():
    writers, may_write, done = Writers(), threading.Event(), []

    def write(number):
        may_write.wait(10)
        done.append(number)

    submitting = threading.Thread(target=lambda: [writers.submit(write, number) for number in range(50)])
    submitting.start()
    submitting.join(0.3)
    assert submitting.is_alive()  # the queue is full
    may_write.set()
    submitting.join()
    writers.finish()
    assert sorted(done) == list(range(50))
