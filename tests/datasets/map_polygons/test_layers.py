"""The classes of masks as polygons: drawn again by GDAL they give the same masks."""

import json
import sys

import numpy as np
import pytest

from semseg.cli import groups
from semseg.datasets.map_polygons import Request, map_masks, write_polygons
from semseg.datasets.map_polygons.pixel_outlines import decode_wkb, trace_outlines
from semseg.labels import IGNORED
from tests.conftest import raises

rasterio = pytest.importorskip("rasterio")
raw = pytest.importorskip("pyogrio.raw")
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.features import rasterize  # noqa: E402
from rasterio.transform import Affine, from_origin  # noqa: E402

UTM = "EPSG:32720"
NORTH_UP = from_origin(300_000.35, 6_300_000.15, 0.1, 0.1)
DEGREES = from_origin(-70.3, -33.1, 1e-6, 1e-6)


def draw(height=50, width=70, seed=0, num_classes=3):
    """Draw blocks with holes, one-pixel objects, corners that touch, and pixels without a class."""
    generator = np.random.default_rng(seed)
    train_ids = generator.integers(num_classes, size=(-(-height // 10), -(-width // 10))).astype(np.uint8)
    train_ids = np.kron(train_ids, np.ones((10, 10), np.uint8))[:height, :width]
    train_ids[5:30, 5:30], train_ids[8:25, 8:25], train_ids[12:14, 12:14] = 0, 1, 0
    train_ids[np.arange(30, 40), np.arange(30, 40)] = 2  # a diagonal
    noise = generator.random((height, width))
    train_ids[noise < 0.1], train_ids[noise > 0.9] = 1, IGNORED
    return train_ids


def save(path, train_ids, transform=NORTH_UP, crs=UTM, nodata=255, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = train_ids.shape[-2:]
    bands = train_ids.reshape(-1, height, width)
    options = dict(driver="GTiff", dtype=train_ids.dtype, crs=crs, transform=transform, nodata=nodata) | options
    with rasterio.open(path, "w", height=height, width=width, count=len(bands), **options) as file:
        file.write(bands)
    return path


def drawn_again(path, mask_path, source, is_json=False):
    """Draw the polygons of a file with GDAL, in the size and place of a mask."""
    with rasterio.open(mask_path) as mask:
        if is_json:
            features = json.loads(path.read_text())["features"]
            polygons = [(f["geometry"], f["properties"]["train_id"]) for f in features]
        else:
            meta, _, geometries, columns = raw.read(path)
            fields = dict(zip(meta["fields"], columns, strict=True))
            polygons = [
                ({"type": "Polygon", "coordinates": [ring.tolist() for ring in decode_wkb(wkb)]}, train_id)
                for wkb, train_id, name in zip(geometries, fields["train_id"], fields["source"], strict=True)
                if name == source
            ]
        return rasterize(polygons, mask.shape, fill=IGNORED, transform=mask.transform, dtype="uint8")


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (NORTH_UP, UTM),
        (Affine(0.08, 0.05, 300_000, 0.05, -0.08, 6_300_000), UTM),
        (Affine(0.1, 0, 300_000, 0, 0.1, 6_300_000), UTM),  # rows go up
        (DEGREES, "EPSG:4326"),
        (NORTH_UP, None),
        (NORTH_UP, "EPSG:2263"),  # feet
    ],
)
def test_polygons_give_the_mask_again(tmp_path, monkeypatch, transform, crs):
    monkeypatch.setattr(map_masks, "WINDOW_PX", 32)
    mask_path = save(tmp_path / "it's.tif", draw(), transform, crs)
    written = write_polygons(Request(mask_path, tmp_path / "out.gpkg"))
    assert np.array_equal(drawn_again(tmp_path / "out.gpkg", mask_path, "it's.tif"), draw())
    stored = raw.read(tmp_path / "out.gpkg")[0]["crs"]
    if crs is None:
        assert "CRS" in written.notes[0]
    else:
        assert rasterio.CRS.from_user_input(stored) == rasterio.CRS.from_user_input(crs)
        assert written.notes == ()


def test_several_masks_and_their_attributes_are_in_one_layer(tmp_path):
    masks = {"a.tif": draw(seed=1), "b/c.tif": draw(40, 43, seed=2), "empty.tif": np.full((4, 5), 255, np.uint8)}
    for name, train_ids in masks.items():
        save(tmp_path / "pred" / name, train_ids)
    (tmp_path / "classes.txt").write_text("road\nsky\nwater\n")
    done = []
    request = Request(tmp_path / "pred", tmp_path / "out.gpkg", str(tmp_path / "classes.txt"))
    written = write_polygons(request, lambda *count: done.append(count))
    assert (written.num_masks, written.paths, done[-1]) == (3, (tmp_path / "out.gpkg",), (3, 3))
    for name, train_ids in masks.items():
        again = drawn_again(tmp_path / "out.gpkg", tmp_path / "pred" / name, name)
        assert np.array_equal(again, train_ids)
    meta, _, geometries, columns = raw.read(tmp_path / "out.gpkg")
    fields = dict(zip(meta["fields"], columns, strict=True))
    assert (list(fields), len(geometries)) == (["class", "train_id", "area_m2", "source"], written.num_polygons)
    for train_id, name in enumerate(("road", "sky", "water")):
        assert set(fields["class"][fields["train_id"] == train_id]) == {name}
        of_class = sum(np.count_nonzero(train_ids == train_id) for train_ids in masks.values())
        assert fields["area_m2"][fields["train_id"] == train_id].sum() == pytest.approx(of_class * 0.01)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_gets_a_geopackage_for_each_mask_in_its_own_crs(tmp_path):
    save(tmp_path / "pred/a.tif", draw(40, 40))
    save(tmp_path / "pred/b/c.tif", draw(40, 40, seed=1), crs="EPSG:32719")
    with raises("E-data-place", "a.tif is in EPSG:32720, b/c.tif in EPSG:32719"):
        write_polygons(Request(tmp_path / "pred", tmp_path / "out.gpkg"))
    written = write_polygons(Request(tmp_path / "pred", tmp_path / "out"))
    assert written.paths == (tmp_path / "out/a.gpkg", tmp_path / "out/b/c.gpkg")
    assert [raw.read(path)[0]["crs"] for path in written.paths] == [UTM, "EPSG:32719"]


def test_geojson_is_longitude_and_latitude_and_exact_only_if_the_mask_is(tmp_path):
    exact = save(tmp_path / "exact.tif", draw(), DEGREES, "EPSG:4326")
    assert write_polygons(Request(exact, tmp_path / "exact.geojson")).notes == ()
    assert np.array_equal(drawn_again(tmp_path / "exact.geojson", exact, "exact.tif", is_json=True), draw())
    written = write_polygons(Request(save(tmp_path / "utm.tif", draw()), tmp_path / "utm.geojson"))
    assert "cannot be recovered exactly" in written.notes[0]
    content = json.loads((tmp_path / "utm.geojson").read_text())
    assert len(content["features"]) == written.num_polygons
    for feature in content["features"]:
        (longitude, latitude), *_ = feature["geometry"]["coordinates"][0]
        assert -66 < longitude < -64 and -34 < latitude < -32
        assert set(feature["properties"]) == {"train_id", "area_m2", "source"}
    save(tmp_path / "nowhere.tif", draw(), crs=None)
    with raises("E-data-place", "the CRS of .*nowhere.tif is not known"):
        write_polygons(Request(tmp_path / "nowhere.tif", tmp_path / "x.geojson"))


@pytest.mark.parametrize("transform", [NORTH_UP, Affine(0.1, 0, 300_000, 0, 0.1, 6_300_000)])
def test_no_ring_touches_itself_and_the_outer_one_is_counterclockwise(transform):
    ring_closed_by_a_corner = np.array([[255, 1, 1], [1, 255, 1], [1, 1, 1]], np.uint8)
    for train_ids in (draw(), ring_closed_by_a_corner, np.full((1, 1), 7, np.uint8)):
        for outline in trace_outlines(train_ids, (0, 0), transform):
            for number, ring in enumerate(outline.rings):
                assert len({tuple(point) for point in ring[:-1]}) == len(ring) - 1
                x, y = (ring - ring[0]).T
                assert ((x[:-1] @ y[1:] - x[1:] @ y[:-1]) > 0) == (number == 0)


def test_other_nodata_values_have_no_polygon(tmp_path):
    train_ids = np.array([[0, 1], [2, 1]], np.uint8)
    path = save(tmp_path / "a.tif", train_ids, nodata=0)
    write_polygons(Request(path, tmp_path / "a.gpkg"))
    assert drawn_again(tmp_path / "a.gpkg", path, "a.tif").tolist() == [[255, 1], [2, 1]]


def test_polygons_that_do_not_give_the_mask_again_are_an_error(tmp_path):
    far = Affine(1e-11, 0, 300_000, 0, -1e-11, 6_300_000)  # less than float64 can tell apart
    with raises("E-data-polygons", "differ from it at [0-9]+ pixels"):
        write_polygons(Request(save(tmp_path / "a.tif", draw(), far), tmp_path / "a.gpkg"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_wrong_input_is_one_sentence(tmp_path, monkeypatch):
    def refused(code, match, source, out="out.gpkg", classes=None):
        with raises(code, match):
            write_polygons(Request(tmp_path / source, tmp_path / out, classes))
        assert not (tmp_path / "out.gpkg").exists()

    save(tmp_path / "nowhere.png", draw(), Affine.identity(), None, driver="PNG")
    refused("E-data-place", "nowhere.png has no place on the earth", "nowhere.png")
    corners = [GroundControlPoint(0, 0, 0, 0), GroundControlPoint(0, 9, 9, 0), GroundControlPoint(9, 0, 0, 9)]
    save(tmp_path / "points.tif", draw(), None, UTM, gcps=corners)
    refused("E-data-place", "points.tif has only ground control points", "points.tif")
    save(tmp_path / "rgb.tif", np.zeros((3, 4, 4), np.uint8))
    refused("E-data-image-kind", "rgb.tif has 3 bands of uint8", "rgb.tif")
    save(tmp_path / "a.tif", draw())
    (tmp_path / "one.txt").write_text("road\n")
    refused(
        "E-data-mask-values", "has the value 2, and there are 1 classes", "a.tif", classes=str(tmp_path / "one.txt")
    )
    refused("E-input-value", "expected a file .gpkg or .geojson", "a.tif", "out.shp")
    (tmp_path / "text.tif").write_text("no mask")
    refused("E-data-unreadable", "text.tif cannot be read", "text.tif")
    (tmp_path / "empty").mkdir()
    refused("E-data-missing", "no masks in", "empty")
    monkeypatch.setitem(sys.modules, "pyogrio.raw", None)
    refused("E-input-package", "polygons need pyogrio, which is not installed", "a.tif")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    refused("E-input-package", "polygons need rasterio, which is not installed", "a.tif", "out.geojson")


def test_the_program_says_what_it_wrote(tmp_path, capsys):
    save(tmp_path / "a.tif", np.zeros((3, 3), np.uint8))
    assert groups.data(["polygons", str(tmp_path / "a.tif"), "--out", str(tmp_path / "a.geojson")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path / 'a.geojson'}: 1 polygons of 1 masks"
    assert second.startswith("GeoJSON is in longitude and latitude")
