"""Orthophotos that GDAL writes, and masks of them that GDAL reads: same CRS, place and size, and 255 without data."""

import sys

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.map_polygons import Request, write_polygons
from semseg.inference import Outputs, find_images, infer
from semseg.inference.reading import read_photograph
from semseg.inference.tiff import segment_tiff
from tests.conftest import raises
from tests.inference.brightness import CLASSES, PALETTE, Brightness
from tests.inference.test_predictor import AS_IT_IS, predictor_of

rasterio = pytest.importorskip("rasterio")
pytest.importorskip("pyogrio")
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.transform import Affine, from_origin  # noqa: E402

HEIGHT, WIDTH = 80, 100
UTM = "EPSG:32720"
NORTH_UP = from_origin(300_000.35, 6_300_000.15, 0.1, 0.1)
POINTS = [
    GroundControlPoint(row, column, 300_000 + column + row / 50, 6_300_000 - row)
    for row in (0, HEIGHT)
    for column in (0, WIDTH)
]
TMERC = "+proj=tmerc +lat_0=-30 +lon_0=-69 +k=0.9996 +x_0=1 +y_0=2 +ellps=GRS80 +units=m"


def picture():
    """Sky above, road below, no data at the left: RGB, shape (3, height, width)."""
    image = np.full((3, HEIGHT, WIDTH), 240, np.uint8)
    image[:, HEIGHT // 2 :] = 16
    image[:, :, :30] = 0
    return image


def write(
    path,
    crs=UTM,
    transform=NORTH_UP,
    nodata=0,
    alpha=None,
    driver="GTiff",
    masked=False,
    gcps=None,
    tags=None,
    **options,
):
    bands = picture() if alpha is None else np.concatenate([picture(), alpha[None]])
    place = {} if gcps else dict(crs=crs, transform=transform)
    options = dict(driver=driver, height=HEIGHT, width=WIDTH, count=len(bands), dtype="uint8", nodata=nodata) | options
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **options, **place) as file:
        file.write(bands)
        if masked:
            file.write_mask(bands[0] > 0)
        if gcps:
            file.gcps = (gcps, rasterio.CRS.from_user_input(crs))
        if tags:
            file.update_tags(**tags)
    return path


KINDS = {
    "cog": dict(driver="COG", compress="deflate"),
    "tiled-lzw": dict(tiled=True, blockxsize=32, blockysize=32, compress="lzw", interleave="pixel"),
    "big": dict(BIGTIFF="YES"),
    "alpha": dict(nodata=None, alpha=np.where(picture()[0] > 0, 255, 0).astype(np.uint8)),
    "mask": dict(nodata=None, masked=True, compress="jpeg", photometric="ycbcr", tiled=True),
    "turned": dict(transform=Affine(0.08, 0.05, 300_000, 0.05, -0.08, 6_300_000)),
    "point": dict(tags=dict(AREA_OR_POINT="Point")),
    "degrees": dict(crs="EPSG:4326", transform=from_origin(-70.3, -33.1, 1e-6, 1e-6)),
    "parameters": dict(crs=TMERC),
    "control-points": dict(gcps=POINTS),
}


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_of_a_geotiff_has_its_crs_place_and_size_and_255_without_data(tmp_path, kind):
    path = write(tmp_path / "photo.tif", **KINDS[kind])
    infer(Brightness(), find_images(path), Outputs(tmp_path / "out", CLASSES, PALETTE))
    with rasterio.open(path) as photo, rasterio.open(tmp_path / "out/pred/photo.tif") as mask:
        assert (mask.crs, mask.transform, mask.shape) == (photo.crs, photo.transform, photo.shape)
        assert [point.asdict() | {"id": ""} for point in mask.gcps[0]] == [
            point.asdict() | {"id": ""} for point in photo.gcps[0]
        ]
        assert mask.gcps[1] == photo.gcps[1]
        assert mask.tags()["AREA_OR_POINT"] == photo.tags()["AREA_OR_POINT"]
        assert mask.nodata == 255
        train_ids = mask.read(1)
        assert np.array_equal(train_ids == 255, photo.dataset_mask() == 0)
        assert mask.colormap(1)[1] == (*PALETTE[1], 255)
    assert (train_ids[: HEIGHT // 2, 30:] == 1).all() and (train_ids[HEIGHT // 2 :, 30:] == 0).all()
    if kind != "control-points":
        written = write_polygons(Request(tmp_path / "out/pred", tmp_path / "classes.gpkg"))
        assert written.num_polygons == 2


@pytest.mark.parametrize("kind", ["tiled-lzw", "mask"])
def test_a_geotiff_with_overviews_is_segmented_by_tiles_at_full_size(tmp_path, kind):
    path = write(tmp_path / "photo.tif", **KINDS[kind])
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4])
    segment_tiff(predictor_of(tmp_path, pipeline=AS_IT_IS, tile=64), path, tmp_path / "mask.tif")
    with rasterio.open(path) as photo, rasterio.open(tmp_path / "mask.tif") as mask:
        assert (mask.crs, mask.transform, mask.shape) == (photo.crs, photo.transform, photo.shape)
        assert np.array_equal(mask.read(1) == 255, photo.dataset_mask() == 0)


def test_a_mask_of_data_that_cannot_be_used_is_one_sentence(tmp_path, monkeypatch):
    path = write(tmp_path / "photo.tif", **KINDS["mask"])
    content = path.read_bytes()
    assert read_photograph(content).nodata.sum() == 30 * HEIGHT
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with raises("E-data-package", "mask of pixels without data in a TIFF file is read by tifffile"):
        read_photograph(path)


def test_a_photograph_with_a_world_file_gives_polygons_without_a_crs(tmp_path):
    Image.fromarray(picture().transpose(1, 2, 0)).save(tmp_path / "photo.png")
    (tmp_path / "photo.pgw").write_text("0.1\n0\n0\n-0.1\n300000.05\n6299999.95\n")
    infer(Brightness(), find_images(tmp_path / "photo.png"), Outputs(tmp_path / "out", CLASSES, PALETTE))
    written = write_polygons(Request(tmp_path / "out/pred", tmp_path / "classes.gpkg"))
    assert written.num_polygons == 2 and "do not say which CRS" in written.notes[0]
