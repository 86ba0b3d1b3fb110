import pytest

from semseg.system.path_lists import read_list_text, read_path_list, resolve_listed_path
from tests.conftest import raises


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_list_in_any_unicode_encoding_names_all_its_files(tmp_path, encoding):
    (tmp_path / "list.txt").write_bytes("niño.jpg\r\n\r\nb.jpg\r\n".encode(encoding))
    assert read_path_list(tmp_path / "list.txt") == [(1, "niño.jpg"), (3, "b.jpg")]


def test_a_hash_starts_a_comment_unless_a_file_is_called_so(tmp_path):
    (tmp_path / "#x.jpg").touch()
    (tmp_path / "list.txt").write_text("# chosen\n#x.jpg\n")
    assert read_path_list(tmp_path / "list.txt") == [(2, "#x.jpg")]


def test_back_slashes_separate_folders_unless_a_file_is_called_so(tmp_path):
    (tmp_path / "odd\\name.jpg").touch()
    assert resolve_listed_path("a\\b.jpg", tmp_path) == tmp_path / "a/b.jpg"
    assert resolve_listed_path("odd\\name.jpg", tmp_path) == tmp_path / "odd\\name.jpg"


def test_what_is_not_text_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes("a.jpg".encode("utf-16-le"))
    with raises("E-input-unreadable", r"list\.txt"):
        read_list_text(tmp_path / "list.txt")
    with raises("E-input-missing", r"gone\.txt"):
        read_list_text(tmp_path / "gone.txt")
