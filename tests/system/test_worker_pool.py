"""Processes that convert: started in any way, killed at any moment."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.cityscapes import convert
from tests.datasets.annotations import write_label_ids, write_polygons

BICYCLE = 33


@pytest.mark.slow
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_may_be_started_in_any_way(tmp_path, method):
    write_polygons(tmp_path, "train/ulm/ulm_000001_000019")
    write_polygons(tmp_path, "train/ulm/ulm_000002_000019")
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "from semseg.datasets.cityscapes import convert\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method({method!r})\n"
        f"    print(convert.convert({str(tmp_path)!r}, num_processes=2)['train'].written)\n"
    )
    result = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("2\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("num_processes", [1, 2])
def test_killed_at_random_moments_it_leaves_only_whole_images_and_completes(tmp_path, num_processes):
    for index in range(300):
        polygon_path = write_polygons(tmp_path, f"train/ulm/ulm_{index:06}_000019")
        if index % 2:
            write_label_ids(polygon_path, BICYCLE)
    call = f"convert.convert({str(tmp_path)!r}, num_processes={num_processes})"
    command = f"from semseg.datasets.cityscapes import convert; {call}"
    rng = random.Random(num_processes)
    num_before = 0
    for _ in range(8):
        process = subprocess.Popen([sys.executable, "-c", command], start_new_session=True)
        deadline = time.monotonic() + 30
        while len(list(tmp_path.rglob("[!.]*_labelTrainIds.png"))) <= num_before and time.monotonic() < deadline:
            if process.poll() is not None:
                break
        time.sleep(rng.uniform(0, 0.02))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        images = list(tmp_path.rglob("[!.]*_labelTrainIds.png"))
        for path in images:
            assert np.asarray(Image.open(path)).shape == (12, 16)
        num_before = len(images)
        if num_before == 300:
            break
    convert.convert(tmp_path)
    assert len(list(tmp_path.rglob("*_labelTrainIds.png"))) == 300
    assert not list(tmp_path.rglob("*.tmp*"))
    assert len((tmp_path / "train.txt").read_text().splitlines()) == 300


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(tmp_path):
    for index in range(3000):
        write_polygons(tmp_path, f"train/ulm/ulm_{index:06}_000019")
    # parent and workers hold the writing end: reading ends when the last of them is gone
    read_fd, write_fd = os.pipe()
    command = f"from semseg.datasets.cityscapes import convert; convert.convert({str(tmp_path)!r}, num_processes=3)"
    process = subprocess.Popen([sys.executable, "-c", command], pass_fds=[write_fd])
    os.close(write_fd)
    deadline = time.monotonic() + 30
    while not list(tmp_path.rglob("[!.]*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    os.set_blocking(read_fd, False)
    while time.monotonic() < deadline:
        try:
            assert os.read(read_fd, 1) == b""
            break
        except BlockingIOError:
            time.sleep(0.05)
    else:
        pytest.fail("a worker outlived its parent")
    os.close(read_fd)
    for path in tmp_path.rglob("*_labelTrainIds.png"):
        Image.open(path).load()
    convert.convert(tmp_path)
    assert not list(tmp_path.rglob("*.tmp*"))
    assert len(list(tmp_path.rglob("*.png"))) == 3000
