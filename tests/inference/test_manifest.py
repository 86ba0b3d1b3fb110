import csv
import json

import pytest

from semseg.inference.manifest import Manifest, describe_outputs, holds_results, whole_outputs

CLASSES = ("road", "sky")


def add(manifest, source, status="ok", **stats):
    row = {"source": source, "name": f"of {source}"}
    manifest.add({**row, "status": status}, {**row, "road": 0.5, "sky": 0.5, **stats})


def begin(out_dir, *sources, done=(), **ranks):
    manifest = Manifest(out_dir, CLASSES, **ranks)
    todo = manifest.begin({f"of {source}": source for source in sources}, lambda _, row: row["source"] in done)
    return manifest, [name.removeprefix("of ") for name in todo]


def finish(manifest, order):
    manifest.finish([f"of {source}" for source in order])


def sources(path, table="manifest"):
    with (path / f"{table}.csv").open(errors="surrogateescape", newline="") as file:
        return [row["source"] for row in csv.DictReader(file)]


def test_lines_appear_as_they_come_and_end_in_the_order_of_the_sources(tmp_path):
    manifest, todo = begin(tmp_path, "a", "b", "c")
    assert todo == ["a", "b", "c"]
    for source in "cab":
        add(manifest, source)
        assert sources(tmp_path)[-1] == source
    finish(manifest, ["a", "b", "c"])
    assert sources(tmp_path) == sources(tmp_path, "stats") == ["a", "b", "c"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_done_anew_is_there_once_and_other_folders_stay(tmp_path):
    manifest, _ = begin(tmp_path, "a", "b", "x")
    for source, status in (("a", "ok"), ("b", "failed: why"), ("x", "ok")):
        add(manifest, source, status)
    manifest, todo = begin(tmp_path, "a", "b", "c", done={"a", "b", "c"})
    assert todo == ["b", "c"]  # b had failed, c is not in the account
    for source in todo:
        add(manifest, source)
    finish(manifest, ["a", "b", "c"])
    assert sources(tmp_path) == ["x", "a", "b", "c"]
    manifest, todo = begin(tmp_path, "a", "b", "c")
    assert todo == ["a", "b", "c"]
    assert sources(tmp_path) == sources(tmp_path, "stats") == ["x"]


def test_a_line_that_was_cut_off_is_none(tmp_path):
    manifest, _ = begin(tmp_path, "a", "b")
    add(manifest, "a")
    with (tmp_path / "manifest.csv").open("a") as file:
        file.write('b,"pred/b.png')
    manifest, todo = begin(tmp_path, "a", "b", done={"a", "b"})
    assert todo == ["b"]
    add(manifest, "b")
    assert sources(tmp_path) == ["a", "b"]


def test_any_name_can_be_told(tmp_path):
    names = ["a,b", 'quote "', "line\nbreak", "ñandú ☀", b"\xff\xfe.jpg".decode(errors="surrogateescape")]
    manifest, _ = begin(tmp_path, *names)
    for name in names:
        add(manifest, name, latitude=1, longitude=2)
    finish(manifest, names)
    assert sources(tmp_path) == names
    assert begin(tmp_path, *names, done=set(names))[1] == []
    assert manifest.write_geojson(tmp_path / "map.json") == 5


def test_processes_keep_parts_and_put_them_together(tmp_path):
    first, _ = begin(tmp_path, "a", "c", rank=0, num_ranks=2)
    second, _ = begin(tmp_path, "b", "d", rank=1, num_ranks=2)
    for manifest, source in ((second, "d"), (first, "a"), (second, "b"), (first, "c")):
        add(manifest, source)
    finish(second, "abcd")
    assert sources(tmp_path) == ["a", "b", "c", "d"]
    finish(first, "abcd")
    assert sources(tmp_path) == sources(tmp_path, "stats") == ["a", "b", "c", "d"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.csv", "stats.csv"]


def test_what_a_killed_process_left_is_found_whatever_goes_on(tmp_path):
    for num_ranks in (1, 2, 3):
        folder = tmp_path / str(num_ranks)
        killed, _ = begin(folder, "a", "b", rank=1, num_ranks=2)
        add(killed, "a")
        todo = []
        for rank, share in enumerate(["abc"[rank::num_ranks] for rank in range(num_ranks)]):
            manifest, mine = begin(folder, *share, done={"a"}, rank=rank, num_ranks=num_ranks)
            for source in mine:
                add(manifest, source)
            finish(manifest, "abc")
            todo += mine
        assert sorted(todo) == ["b", "c"]
        assert sources(folder) == ["a", "b", "c"]
        assert len(list(folder.iterdir())) == 2


def test_places_become_points(tmp_path):
    manifest, _ = begin(tmp_path, "a", "b")
    add(manifest, "a", latitude=-32.9, longitude=-60.6, time="2024-05-01T12:00:00", sky=0.25)
    add(manifest, "b")
    assert manifest.write_geojson(tmp_path / "maps/map.json") == 1
    (feature,) = json.loads((tmp_path / "maps/map.json").read_text())["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [-60.6, -32.9]}
    assert feature["properties"] == {"source": "a", "time": "2024-05-01T12:00:00", "road": 0.5, "sky": 0.25}


def test_the_account_of_another_model_is_not_mixed_in(tmp_path):
    add(begin(tmp_path, "a")[0], "a")
    with pytest.raises(ValueError, match=r"stats\.csv is of a model with other classes; choose another --out-dir"):
        Manifest(tmp_path, ("fish",))


def test_an_image_has_one_row_however_its_path_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for way in ("photos/a.jpg", "./photos/a.jpg", str(tmp_path / "photos/a.jpg")):
        manifest = Manifest(tmp_path / "out", CLASSES)
        manifest.begin({"a": way}, lambda *_: False)
        manifest.add({"source": way, "name": "a", "status": "ok"}, {"source": way, "name": "a", "road": 1, "sky": 0})
        assert sources(tmp_path / "out") == sources(tmp_path / "out", "stats") == [way]
    assert Manifest(tmp_path / "out", CLASSES).begin({"a": "photos/../photos/a.jpg"}, lambda *_: True) == []


def test_results_of_another_image_of_the_same_name_are_not_taken_for_its_own(tmp_path):
    manifest = Manifest(tmp_path, CLASSES)
    manifest.begin({"a": "north/a.jpg"}, lambda *_: False)
    manifest.add({"source": "north/a.jpg", "name": "a", "status": "ok"})
    manifest = Manifest(tmp_path, CLASSES)
    assert manifest.begin({"a": "south/a.jpg"}, lambda *_: True) == ["a"]
    assert manifest.num_replaced == 1


def test_the_account_of_an_older_version_is_read_and_done_anew(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "source,outputs,width,height,seconds,status,mean_confidence\n"
        "p/a/1.jpg,pred/a/1.png;vis/a/1.jpg,4,3,0.1,ok,0.5\np/2.jpg,pred/2.png,4,3,0.1,ok,0.5\np/3.jpg,,,,,failed: x,\n"
    )
    (tmp_path / "stats.csv").write_text("source,latitude,longitude,time,road,sky\np/a/1.jpg,,,,1,0\np/2.jpg,,,,1,0\n")
    manifest = Manifest(tmp_path, CLASSES)
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred/2.png").write_bytes(b"cut")
    done = lambda _, row: bool(whole_outputs(row, tmp_path))  # noqa: E731
    assert manifest.begin({"2": "p/2.jpg", "3": "p/3.jpg"}, done) == ["2", "3"]  # no sizes, so nothing is known
    with (tmp_path / "manifest.csv").open() as file:
        assert [(row["source"], row["name"]) for row in csv.DictReader(file)] == [("p/a/1.jpg", "a/1")]
    assert sources(tmp_path, "stats") == ["p/a/1.jpg"]


def test_outputs_are_whole_if_they_have_their_size(tmp_path):
    paths = [tmp_path / "pred/a.png", tmp_path / "frames/a"]
    for path in (paths[0], paths[1] / "0.jpg", paths[1] / "1.jpg"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    row = describe_outputs(paths, tmp_path)
    assert row == {"outputs": "pred/a.png;frames/a", "bytes": "5;10"}
    assert whole_outputs(row, tmp_path) == set(paths)
    paths[0].write_bytes(b"123")
    (paths[1] / "1.jpg").unlink()
    assert whole_outputs(row, tmp_path) == set()


def test_folders_with_results_are_known_by_their_account(tmp_path):
    add(begin(tmp_path / "images", "a")[0], "a")
    begin(tmp_path / "ranks", "a", rank=1, num_ranks=2)[0].add({"source": "a", "name": "a"})
    for name, text in (("gap.json", '{"schema": "semseg.gap/1"}'), ("manifest.csv", "file,licence\n"), ("x.txt", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(text)
    found = {path.name for path in tmp_path.iterdir() if holds_results(path)}
    assert found == {"images", "ranks", "gap.json"}
