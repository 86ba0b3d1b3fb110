import csv
import json

from semseg.inference.manifest import Manifest, holds_results
from tests.conftest import raises

CLASSES = ("road", "sky")


def add(manifest, source, status="ok", **stats):
    row = {"source": source, "name": source}
    manifest.add({**row, "status": status}, {**row, "road": 0.5, "sky": 0.5, **stats})


def begin(out_dir, *sources, done=(), **ranks):
    manifest = Manifest(out_dir, CLASSES, **ranks)
    return manifest, manifest.begin({source: source for source in sources}, lambda name, row: name in done)


def sources(path, table="manifest"):
    with (path / f"{table}.csv").open(errors="surrogateescape", newline="") as file:
        return [row["source"] for row in csv.DictReader(file)]


def test_rows_appear_at_once_and_are_sorted_by_the_sources_at_the_end(tmp_path):
    manifest, todo = begin(tmp_path, "a", "b", "c")
    assert todo == ["a", "b", "c"]
    for source in "cab":
        add(manifest, source)
        assert sources(tmp_path)[-1] == source
    manifest.finish(["a", "b", "c"])
    assert sources(tmp_path) == sources(tmp_path, "stats") == ["a", "b", "c"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_image_that_is_segmented_again_has_one_row_and_other_rows_stay(tmp_path):
    manifest, _ = begin(tmp_path, "a", "b", "x")
    for source, status in (("a", "ok"), ("b", "failed: why"), ("x", "ok")):
        add(manifest, source, status)
    manifest, todo = begin(tmp_path, "a", "b", "c", done={"a", "b", "c"})
    assert todo == ["b", "c"]  # b had failed, c has no row
    for source in todo:
        add(manifest, source)
    manifest.finish(["a", "b", "c"])
    assert sources(tmp_path) == ["x", "a", "b", "c"]
    manifest, todo = begin(tmp_path, "a", "b", "c")
    assert todo == ["a", "b", "c"]
    assert sources(tmp_path) == sources(tmp_path, "stats") == ["x"]


def test_a_line_that_was_cut_off_is_ignored(tmp_path):
    manifest, _ = begin(tmp_path, "a", "b")
    add(manifest, "a")
    with (tmp_path / "manifest.csv").open("a") as file:
        file.write('b,"pred/b.png')
    manifest, todo = begin(tmp_path, "a", "b", done={"a", "b"})
    assert todo == ["b"]
    add(manifest, "b")
    assert sources(tmp_path) == ["a", "b"]


def test_any_file_name_can_be_written(tmp_path):
    names = ["a,b", 'quote "', "line\nbreak", "ñandú ☀", b"\xff\xfe.jpg".decode(errors="surrogateescape")]
    manifest, _ = begin(tmp_path, *names)
    for name in names:
        add(manifest, name, latitude=1, longitude=2)
    manifest.finish(names)
    assert sources(tmp_path) == names
    assert begin(tmp_path, *names, done=set(names))[1] == []
    assert manifest.write_geojson(tmp_path / "map.json") == 5


def test_processes_write_parts_that_are_merged(tmp_path):
    first, _ = begin(tmp_path, "a", "c", rank=0, num_ranks=2)
    second, _ = begin(tmp_path, "b", "d", rank=1, num_ranks=2)
    for manifest, source in ((second, "d"), (first, "a"), (second, "b"), (first, "c")):
        add(manifest, source)
    second.finish("abcd")
    assert sources(tmp_path) == ["a", "b", "c", "d"]
    first.finish("abcd")
    assert sources(tmp_path) == sources(tmp_path, "stats") == ["a", "b", "c", "d"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.csv", "stats.csv"]


def test_the_part_of_a_killed_process_is_merged_by_any_number_of_processes(tmp_path):
    for num_ranks in (1, 2, 3):
        folder = tmp_path / str(num_ranks)
        killed, _ = begin(folder, "a", "b", rank=1, num_ranks=2)
        add(killed, "a")
        todo = []
        for rank, share in enumerate(["abc"[rank::num_ranks] for rank in range(num_ranks)]):
            manifest, mine = begin(folder, *share, done={"a"}, rank=rank, num_ranks=num_ranks)
            for source in mine:
                add(manifest, source)
            manifest.finish("abc")
            todo += mine
        assert sorted(todo) == ["b", "c"]
        assert sources(folder) == ["a", "b", "c"]
        assert len(list(folder.iterdir())) == 2


def test_positions_become_points(tmp_path):
    manifest, _ = begin(tmp_path, "a", "b")
    add(manifest, "a", latitude=-32.9, longitude=-60.6, time="2024-05-01T12:00:00", sky=0.25)
    add(manifest, "b")
    assert manifest.write_geojson(tmp_path / "maps/map.json") == 1
    (feature,) = json.loads((tmp_path / "maps/map.json").read_text())["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [-60.6, -32.9]}
    assert feature["properties"] == {"source": "a", "time": "2024-05-01T12:00:00", "road": 0.5, "sky": 0.25}


def test_a_folder_with_the_tables_of_another_model_is_refused(tmp_path):
    add(begin(tmp_path, "a")[0], "a")
    with raises("E-input-used", r"stats\.csv .* `out_dir`"):
        Manifest(tmp_path, ("fish",))


def test_one_photograph_has_one_row_however_its_path_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for spelling in ("photos/a.jpg", "./photos/../photos/a.jpg", str(tmp_path / "photos/a.jpg")):
        manifest = Manifest(tmp_path / "out", CLASSES)
        todo = manifest.begin({"a": spelling}, lambda name, row: True)
        assert todo == (["a"] if spelling == "photos/a.jpg" else [])
        for name in todo:
            manifest.add({"source": spelling, "name": name, "status": "ok"}, {"source": spelling, "name": name})
        manifest.finish(["a"])
    assert sources(tmp_path / "out") == sources(tmp_path / "out", "stats") == ["photos/a.jpg"]


def test_results_of_another_image_of_the_same_name_are_replaced_and_counted(tmp_path):
    manifest, _ = begin(tmp_path, "a")
    add(manifest, "a")
    manifest = Manifest(tmp_path, CLASSES)
    assert manifest.begin({"a": "elsewhere/a"}, lambda name, row: True) == ["a"]
    assert manifest.num_replaced == 1


def test_tables_of_an_older_version_are_read(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "source,outputs,width,height,seconds,status,mean_confidence\nph/a.jpg,pred/s/a.png;vis/s/a.jpg,4,3,0.1,ok,0.9\n"
        "ph/b.jpg,,,,,failed: why,\n"
    )
    (tmp_path / "stats.csv").write_text("source,latitude,longitude,time,road,sky\nph/a.jpg,,,,0.5,0.5\n")
    manifest = Manifest(tmp_path, CLASSES)
    assert manifest.begin({"s/a": "ph/a.jpg", "b": "ph/b.jpg"}, lambda name, row: True) == ["b"]
    manifest.finish(["s/a"])
    (row,) = csv.DictReader((tmp_path / "manifest.csv").open())
    assert (row["name"], row["bytes"], row["status"]) == ("s/a", "", "ok")


def test_folders_with_results_are_recognized(tmp_path):
    assert not holds_results(tmp_path)
    begin(tmp_path / "out", "a")
    assert holds_results(tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/manifest.csv").write_text("name,price\n")  # of another program
    assert not holds_results(tmp_path / "mine")


def test_an_image_that_lost_its_statistics_in_a_power_cut_is_segmented_again(tmp_path):
    manifest, _ = begin(tmp_path, "a", "b")
    add(manifest, "a")
    add(manifest, "b")
    stats = tmp_path / "stats.csv"
    lines = stats.read_bytes().splitlines(keepends=True)
    for lost in ([lines[0], lines[1]], [lines[0], lines[1], bytes(len(lines[2]))], [lines[0], bytes(9), *lines[1:]]):
        stats.write_bytes(b"".join(lost))
        _, todo = begin(tmp_path, "a", "b", done={"a", "b"})
        assert todo == (["a"] if lost[1] == bytes(9) else ["b"])
        manifest, _ = begin(tmp_path, "a", "b")
        add(manifest, "a")
        add(manifest, "b")
