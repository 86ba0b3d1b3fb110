from pathlib import Path

from semseg.system.folders import natural_key, walk_files


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(root, **options):
    return sorted(path.relative_to(root).as_posix() for path in walk_files(root, **options))


def test_linked_folders_are_followed_once_and_loops_end(tmp_path):
    touch(tmp_path, "photos/a/1.jpg", "elsewhere/2.jpg")
    (tmp_path / "photos/b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos/a/loop").symlink_to(tmp_path / "photos")
    assert names(tmp_path / "photos") == ["a/1.jpg", "b/2.jpg"]


def test_hidden_names_and_closed_folders_are_left_out(tmp_path):
    touch(tmp_path, "a.jpg", ".b.jpg", ".cache/c.jpg", "out/d.jpg", "old/e.jpg", "old/manifest.csv")
    skipped = []

    def skip(folder):
        if (folder / "manifest.csv").exists():
            skipped.append(folder.name)
            return True
        return False

    assert names(tmp_path, leave_out=[tmp_path / "out"], skip_folder=skip) == ["a.jpg"]
    assert skipped == ["old"]


def test_a_dangling_link_is_a_file(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone.jpg")
    assert names(tmp_path) == ["a.jpg"]


def test_numbers_in_names_are_compared_as_numbers():
    paths = [Path("img10.jpg"), Path("img9.jpg"), Path("IMG2.jpg")]
    assert sorted(paths, key=natural_key) == [Path("IMG2.jpg"), Path("img9.jpg"), Path("img10.jpg")]
