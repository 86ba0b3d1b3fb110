from pathlib import Path

from semseg.system.result_names import check_inputs_stay, name_results
from tests.conftest import raises


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


def test_results_must_not_replace_an_input_however_its_path_is_written(tmp_path):
    (tmp_path / "masks").mkdir()
    mask = tmp_path / "masks/a.png"
    check_inputs_stay([tmp_path / "out/a.png"], [mask], "out_dir")
    with raises("E-input-overwrite", r"would replace .*a\.png, which is an input; choose another `out_dir`"):
        check_inputs_stay([tmp_path / "b.png", tmp_path / "out/../masks/a.png"], [mask], "out_dir")
