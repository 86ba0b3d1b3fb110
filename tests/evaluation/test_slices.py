import pytest

from semseg.evaluation.slices import by_folder, from_table

IMAGES = ["a/one.png", "a/two.png", "b/three.v1.jpg"]


def table(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_cities_are_the_first_folders():
    assert by_folder(IMAGES) == {"folder": ["a", "a", "b"]}
    assert by_folder(["one.png", "two.png"]) == {}
    assert by_folder(["a/one.png", "a/two.png"]) == {}


def test_an_image_is_named_by_its_path_its_name_or_its_stem(tmp_path):
    path = table(
        tmp_path, "\ufeffweather,image,time\nsun,a/one.png,day\nrain,two,\n fog,three.v1.jpg,night\nsun,other,day\n"
    )
    assert from_table(path, IMAGES) == {"weather": ["sun", "rain", "fog"], "time": ["day", "", "night"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,weather\n", "expected a column 'image' and others to slice by in its first line, found name, weather"),
        ("image\n", "found image$"),
        ("", "found nothing$"),
        ("image,weather\none.png,sun\none.jpg,sun\n", "one.jpg stands in two rows"),
        ("image,weather\none,sun\ntwo,sun\n", "1 of 3 images have no row, first b/three.v1.jpg"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        from_table(table(tmp_path, text), IMAGES)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no table of slices .*none.csv"):
        from_table(tmp_path / "none.csv", IMAGES)


def test_a_table_of_windows_is_read(tmp_path):
    (tmp_path / "slices.csv").write_bytes("image,weather\r\na\\1.png,fog\r\n".encode("utf-16"))
    assert from_table(tmp_path / "slices.csv", ["a/1.jpg"]) == {"weather": ["fog"]}
