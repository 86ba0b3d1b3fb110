from pathlib import Path

import pytest

from semseg.inference import find_images, is_video
from semseg.inference.sources import LeftOut
from tests.conftest import raises


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(*sources, **options):
    return [str(image.name) for image in find_images(*sources, **options)]


def test_folders_are_read_in_natural_order_and_other_files_left_out(tmp_path):
    touch(tmp_path, "img10.jpg", "img2.JPG", "sub/a.png", "notes.txt", ".hidden.png", ".cache/b.png", "._img2.jpg")
    assert names(tmp_path) == ["img2", "img10", "sub/a"]


def test_a_single_image_is_named_after_itself(tmp_path):
    touch(tmp_path, "street.v2.jpeg")
    assert [image.name for image in find_images(tmp_path / "street.v2.jpeg")] == [Path("street.v2")]


def test_several_sources_are_named_below_the_folder_above_all_of_them(tmp_path):
    touch(tmp_path, "north/a.jpg", "south/a.jpg", "south/b/c.jpg", "d.jpg")
    assert names(tmp_path / "north", tmp_path / "south") == ["north/a", "south/a", "south/b/c"]
    assert names(tmp_path / "d.jpg", tmp_path / "south/a.jpg") == ["d", "south/a"]
    assert names(tmp_path / "south/a.jpg", tmp_path / "south") == ["a", "b/c"]  # each once


def test_patterns_are_named_below_their_fixed_part(tmp_path, monkeypatch):
    touch(
        tmp_path, "photos/2023/a.jpg", "photos/2024/a.jpg", "photos/2024/b10.jpg", "photos/2024/b9.jpg", "photos/x.md"
    )
    assert names(f"{tmp_path}/photos/*/*") == ["2023/a", "2024/a", "2024/b9", "2024/b10"]
    assert names(f"{tmp_path}/photos/**/b*.jpg") == ["2024/b9", "2024/b10"]
    monkeypatch.chdir(tmp_path / "photos")
    assert names("*/a.jpg") == ["2023/a", "2024/a"]
    assert names("20*") == ["2023/a", "2024/a", "2024/b9", "2024/b10"]
    with raises("E-input-missing", r"\*/z\*\.jpg"):
        find_images("*/z*.jpg")


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    touch(tmp_path, "a[1].jpg", "a1.jpg")
    assert names(tmp_path / "a[1].jpg") == ["a[1]"]


def test_a_list_names_images_relative_to_itself(tmp_path):
    touch(tmp_path, "lists/b.jpg", "other/c.png")
    (tmp_path / "lists/mine.txt").write_text(f"# chosen\nb.jpg\n\ngone.jpg\n{tmp_path}/lists/b.jpg\n")
    found = find_images(tmp_path / "lists/mine.txt")
    assert [(image.path, str(image.name)) for image in found] == [
        (tmp_path / "lists/b.jpg", "b"),
        (tmp_path / "lists/gone.jpg", "gone"),  # missing; reading it will fail
    ]
    (tmp_path / "lists/mine.txt").write_text("b.jpg\n../other/c.png\n")
    assert names(tmp_path / "lists/mine.txt") == ["lists/b", "other/c"]
    (tmp_path / "lists/mine.txt").write_text("../other\n")
    with raises("E-input-list", r"mine\.txt .*other;"):
        find_images(tmp_path / "lists/mine.txt")


def test_links_are_followed_once_and_dangling_ones_are_images_that_cannot_be_read(tmp_path):
    touch(tmp_path, "photos/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "photos/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "photos")
    (tmp_path / "photos/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert names(tmp_path / "photos") == ["a", "gone", "more/b"]


def test_a_folder_named_like_an_image_is_a_folder(tmp_path):
    touch(tmp_path, "x.jpg/a.jpg")
    assert names(tmp_path) == ["x.jpg/a"]


def test_results_inside_the_folder_are_not_segmented_again(tmp_path):
    touch(tmp_path, "a.jpg", "pred/a.png", "vis/a.jpg")
    assert names(tmp_path, leave_out=[tmp_path / "pred", tmp_path / "vis"]) == ["a"]


def test_wrong_inputs_say_what_was_expected(tmp_path):
    with raises("E-input-missing", "none$"):
        find_images(tmp_path / "none")
    with raises("E-input-missing", r"\(it is empty\); expected \.jpg"):
        find_images(tmp_path)
    touch(tmp_path, "a.txt", "a.csv")
    with raises("E-input-missing", r"only \.csv, \.txt"):
        find_images(tmp_path)
    with raises("E-input-list", r"a\.txt names no image"):
        find_images(tmp_path / "a.txt")
    with raises("E-input-unreadable", r"a\.csv .* \.jpg .*, a list \(\.txt\)"):
        find_images(tmp_path / "a.csv")


def test_two_images_with_the_same_result_are_an_error_with_a_remedy(tmp_path):
    touch(tmp_path, "a.jpg", "a.png")
    with raises("E-input-same-name", r"a\.jpg and .*a\.png .* a\.png; .* \(`keep_suffix`\)"):
        find_images(tmp_path)
    assert names(tmp_path, keep_suffix=True) == ["a.jpg", "a.png"]


@pytest.mark.parametrize("source", ["0", "rtsp://10.0.0.1/live", "street.MP4", "a/b.webm"])
def test_cameras_streams_and_videos_are_distinguished_from_images(source):
    assert is_video(source)
    assert not is_video("street.jpg")


def results_in(folder):
    touch(folder, "vis/a.jpg", "pred/a.png")
    (folder / "manifest.csv").write_text("source,name,outputs,bytes,status\n")


def test_results_of_earlier_runs_are_no_photographs(tmp_path):
    touch(tmp_path, "ph/a.jpg", "ph/b.jpg", "ph/notes.txt", "ph/album.jpg/c.png")
    results_in(tmp_path / "ph/out1")
    results_in(tmp_path / "ph/deep/out2")
    left_out = LeftOut()
    found = find_images(tmp_path / "ph", left_out=left_out)
    assert [str(image.name) for image in found] == ["a", "album.jpg/c", "b"]
    assert sorted(left_out.result_folders) == [tmp_path / "ph/deep/out2", tmp_path / "ph/out1"]
    assert left_out.other_files == [tmp_path / "ph/notes.txt"]
    assert left_out.named_like_images == [tmp_path / "ph/album.jpg"]
    assert len(left_out.lines()) == 3
    assert names(f"{tmp_path}/ph/**/*.*g") == ["a", "album.jpg/c", "b"]
    assert names(tmp_path / "ph/out1/vis") == ["a"]  # a folder that is given itself is read
    assert names(tmp_path / "ph/out1") == ["pred/a", "vis/a"]


def test_brackets_in_a_name_that_exists_are_no_pattern(tmp_path):
    touch(tmp_path, "site [A]/a.jpg", "site [A]/b [1].jpg", "site A/c.jpg")
    assert names(f"{tmp_path}/site [A]/*.jpg") == ["a", "b [1]"]
    assert names(f"{tmp_path}/site [A]/b [1].jpg") == ["b [1]"]
    touch(tmp_path, "site A1/c.jpg")
    assert names(f"{tmp_path}/site [AB]1/*.jpg") == ["site A1/c"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_of_other_editors_name_all_their_images(tmp_path, encoding):
    touch(tmp_path, "a.jpg", "#x.jpg", "sub/c.jpg")
    (tmp_path / "list.txt").write_text("a.jpg\n#x.jpg\nsub\\c.jpg\n", encoding=encoding)
    assert names(tmp_path / "list.txt") == ["a", "#x", "sub/c"]


def test_a_text_file_that_names_no_file_is_called_a_list(tmp_path):
    (tmp_path / "readme.txt").write_text("These are photographs of a city.\n")
    with raises("E-input-list", r"readme\.txt was read as a list of images"):
        find_images(tmp_path / "readme.txt")


def test_a_pattern_with_a_part_of_a_name_with_brackets_matches_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "site [A]/1.jpg", "site [A]/[b]2.jpg", "site A/3.jpg", "c1.jpg")
    assert names("site [A]/*.jpg") == ["1", "[b]2"]
    assert names("site [A]/[b]*.jpg") == ["[b]2"]
    assert names("site [AB]/*.jpg") == ["site A/3"]
    assert names("[cd]1.jpg") == ["c1"]
