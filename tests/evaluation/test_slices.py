import pytest

from semseg.evaluation.slices import by_folder, from_table
from tests.conftest import raises

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
    ("text", "values"),
    [
        ("name,weather\n", "'image' .*found name, weather"),
        ("image\n", "found image$"),
        ("", "found nothing$"),
        ("image,weather\none.png,sun\none.jpg,sun\n", r"one\.jpg is in two rows"),
        ("image,weather\none,sun\ntwo,sun\n", r"1 of 3 images .* b/three\.v1\.jpg"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, text, values):
    with raises("E-input-table", values):
        from_table(table(tmp_path, text), IMAGES)


def test_a_missing_table_is_named(tmp_path):
    with raises("E-input-missing", r"none\.csv"):
        from_table(tmp_path / "none.csv", IMAGES)


def test_a_table_of_windows_is_read(tmp_path):
    (tmp_path / "slices.csv").write_bytes("image,weather\r\na\\1.png,fog\r\n".encode("utf-16"))
    assert from_table(tmp_path / "slices.csv", ["a/1.jpg"]) == {"weather": ["fog"]}
