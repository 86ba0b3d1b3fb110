import pytest

from semseg.system.atomic import atomic_path, check_folder
from tests.conftest import raises


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
