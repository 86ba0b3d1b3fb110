from semseg.inference.recorded_outputs import describe_outputs, has_whole_outputs, whole_outputs


def test_outputs_are_complete_if_they_have_the_size_that_was_written(tmp_path):
    paths = [tmp_path / "pred/a.png", tmp_path / "masks/clip"]
    for folder in (paths[0].parent, paths[1]):
        folder.mkdir(parents=True)
    paths[0].write_bytes(b"12345")
    (paths[1] / "0.png").write_bytes(b"123")
    described = describe_outputs(paths, tmp_path)
    assert described == {"outputs": "pred/a.png;masks/clip", "bytes": "5;3"}
    row = {"name": "a", **described}
    assert whole_outputs(row, tmp_path) == set(paths)
    assert has_whole_outputs(row, tmp_path)
    paths[0].write_bytes(b"1234")
    assert whole_outputs(row, tmp_path) == {paths[1]}
    assert not has_whole_outputs(row, tmp_path)
    (paths[1] / "0.png").unlink()
    assert whole_outputs(row, tmp_path) == set()
    assert whole_outputs({**row, "bytes": ""}, tmp_path) == set()  # of an older version


def test_outputs_with_a_semicolon_in_their_name_can_be_complete(tmp_path):
    paths = [tmp_path / "pred/a;b.png", tmp_path / "conf/a;b.png"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"123")
    assert whole_outputs({"name": "a;b", **describe_outputs(paths, tmp_path)}, tmp_path) == set(paths)


def test_a_row_without_outputs_has_no_whole_outputs(tmp_path):
    assert not has_whole_outputs({"name": "a", "outputs": "", "bytes": ""}, tmp_path)
