import resource
from pathlib import Path

import pytest

from semseg.system import machine


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_a_container_leaves_its_limit_without_what_is_in_use_and_cannot_be_given_up(tmp_path):
    files = dict(memory__max="1000\n", memory__current="700\n", memory__stat="anon 500\ninactive_file 150\n")
    assert machine.cgroup_memory_left(write(tmp_path, **files)) == 450


def test_the_older_kind_of_container_is_understood_and_none_has_no_limit(tmp_path):
    files = dict(memory__limit_in_bytes="1000", memory__usage_in_bytes="700", memory__stat="total_inactive_file 0")
    assert machine.cgroup_memory_left(write(tmp_path, **files)) == 300
    (tmp_path / "free").mkdir()
    assert machine.cgroup_memory_left(write(tmp_path / "free", memory__max="max", memory__current="700")) is None


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="Linux tells what is in use")
def test_ulimit_bounds_the_memory():
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), limits[1]))
    try:
        assert 0 < machine.available_memory_bytes() <= 80 << 20
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert machine.available_memory_bytes() > 80 << 20


@pytest.mark.parametrize(
    ("launcher", "count", "local"), [("none", 1, 1), ("pytorch", 8, 4), ("slurm", 6, 3), ("mpi", 1, 1)]
)
def test_processes_are_those_of_the_launcher(monkeypatch, launcher, count, local):
    given = dict(WORLD_SIZE=8, LOCAL_WORLD_SIZE=4, SLURM_NTASKS=6, SLURM_NNODES=2)
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    assert machine.num_processes(launcher) == count
    assert machine.num_local_processes(launcher) == local


def test_there_is_at_least_one_cpu_and_sizes_are_readable():
    assert machine.num_cpus() >= 1
    assert machine.format_bytes(96 << 20) == "96 MiB"
    assert machine.format_bytes(3 << 29) == "1.5 GiB"


def test_what_does_not_exist_yet_lies_where_its_nearest_parent_does(tmp_path):
    assert machine.nearest_existing(tmp_path / "a/b/c") == tmp_path
    assert machine.free_disk_bytes(tmp_path / "a/b") > 0
