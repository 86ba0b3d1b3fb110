from pathlib import Path

from semseg.system.result_names import name_results


def names(paths, *roots):
    return [str(name) for name in name_results(paths, roots).values()]


def test_equal_names_in_two_folders_stay_apart():
    assert names(["data/a/001.png", "data/b/001.png"], "data") == ["a/001", "b/001"]


def test_images_that_differ_in_their_suffix_keep_it():
    assert names(["x/a.jpg", "x/a.png", "x/b.v2.png"], "x") == ["a.jpg", "a.png", "b.v2"]


def test_several_roots_share_the_folder_above_them(tmp_path):
    assert names(
        [f"{tmp_path}/one/images/a.png", f"{tmp_path}/two/images/a.png"],
        tmp_path / "one/images",
        tmp_path / "two/images",
    ) == ["one/images/a", "two/images/a"]


def test_images_outside_the_root_keep_their_folders_too(tmp_path):
    paths = [str(tmp_path / "set/a.png"), str(tmp_path / "set/../north/a.png"), str(tmp_path / "south/a.png")]
    assert name_results(paths, [tmp_path / "set"]) == {
        paths[0]: Path("set/a"),
        paths[1]: Path("north/a"),
        paths[2]: Path("south/a"),
    }
