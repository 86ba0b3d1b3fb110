import os
import subprocess
import sys

import pytest

from semseg.system.atomic import atomic_path, check_folder
from tests.conftest import REPO, raises


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder" / "a.b.txt"
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_can_be_created_unless_a_file_or_a_dangling_link_is_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    check_folder(tmp_path / "new/folder", "out_dir")
    assert not (tmp_path / "new").exists()
    with raises("E-input-folder", r"`out_dir` .*file/inside: .*file is a file"):
        check_folder(tmp_path / "file/inside", "out_dir")
    with raises("E-input-folder", r"`out_dir` .*link: .*link is a dangling link"):
        check_folder(tmp_path / "link", "out_dir")


def test_processes_with_the_same_id_write_to_different_temporary_files(tmp_path):
    code = "from pathlib import Path\nfrom semseg.system import atomic\natomic.os.getpid = lambda: 7\n"
    code += "with atomic.atomic_path(Path('a.txt')) as temporary:\n    print(temporary.name)\n    temporary.touch()"
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    names = {
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(names) == 2
    assert all(name.startswith(b".a.7-") for name in names)
