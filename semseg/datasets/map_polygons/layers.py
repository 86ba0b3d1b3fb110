"""Write the polygons of masks as GeoPackage or GeoJSON, and check that they give the same masks again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semseg.datasets.importers.class_lists import read_classes
from semseg.datasets.map_polygons.map_masks import MapMask, check_same_crs, find_masks, import_geo, open_mask
from semseg.datasets.map_polygons.pixel_outlines import Outline, decode_wkb, encode_wkb, place_points, trace_outlines
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.labels import IGNORED
from semseg.system.atomic import atomic_path, check_folder

LAYER = "classes"
_GEOPACKAGE, _GEOJSON = ".gpkg", (".geojson", ".json")
_MAX_WAITING = 500_000  # points of polygons in memory before they are written
_DECIMALS = 9  # of degrees: 0.1 mm
_LONGITUDE_LATITUDE = "OGC:CRS84"


@dataclass(frozen=True)
class Request:
    """What to write; `tools/dataset.py polygons --help` explains each."""

    source: Path  # a mask, or a folder of masks
    out: Path  # a .gpkg, a .geojson, or a folder
    classes: str | None = None


class Written(NamedTuple):
    """Statistics of the files.

    Attributes:
        paths: of the files.
        num_masks: number of masks.
        num_polygons: number of polygons.
        notes: for the user.
    """

    paths: tuple[Path, ...]
    num_masks: int
    num_polygons: int
    notes: tuple[str, ...]


class _Feature(NamedTuple):
    """A polygon with its attributes."""

    outline: Outline
    attributes: dict[str, Any]


def write_polygons(request: Request, on_progress: Callable[[int, int], None] | None = None) -> Written:
    """Write the classes of masks as polygons along the borders of the pixels.

    A polygon holds pixels of one class that share edges; 255 and pixels without data have none. Attributes: `class`
    (if the classes are given), `train_id`, `area_m2` (`area_px` without a projected CRS), `source`. Masks are read by
    windows of 4096 x 4096 pixels, where polygons are cut. A GeoPackage appears after it has given every mask again,
    without a different pixel.

    Args:
        request: what to write.
        on_progress: called with the numbers of finished masks and of all masks.

    Raises:
        FileNotFoundError: there are no masks, or no class list.
        ValueError: a mask has no place or wrong values, a package is not installed, or the polygons do not give the
            same mask again.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> import rasterio
        >>> from semseg.datasets.map_polygons.layers import Request, write_polygons
        >>> place = dict(crs="EPSG:32720", transform=rasterio.Affine(0.1, 0, 300_000, 0, -0.1, 6_300_000))
        >>> file = rasterio.open("mask.tif", "w", width=4, height=4, count=1, dtype="uint8", **place)
        >>> file.write(np.eye(4, dtype=np.uint8), 1)
        >>> file.close()
        >>> write_polygons(Request(Path("mask.tif"), Path("mask.gpkg"))).num_polygons
        6
    """
    import_geo("rasterio")
    suffix = request.out.suffix.lower()
    is_folder = request.out.is_dir() or not suffix
    is_json = not is_folder and suffix in _GEOJSON
    if not is_folder and suffix not in (_GEOPACKAGE, *_GEOJSON):
        raise InvalidInputError(
            f"`out` {request.out}: expected a file .gpkg or .geojson, or a folder", code="E-input-value"
        )
    if not is_json:
        import_geo("pyogrio.raw")
    check_folder(request.out if is_folder else request.out.parent, "out")
    names = read_classes(request.classes).names if request.classes else None
    masks = find_masks(request.source)
    layers = _name_layers(masks, request.out) if is_folder else {request.out: masks}
    progress = _Progress(len(masks), on_progress)
    num_polygons, notes = 0, {}
    for path, members in layers.items():
        crs = check_same_crs(members)
        with atomic_path(path) as temporary:
            if is_json:
                num_polygons += _write_geojson(temporary, members, names, crs, progress, notes)
            else:
                num_polygons += _write_geopackage(temporary, members, names, crs, progress)
                _check_geopackage(temporary, members)
                if crs is None:
                    notes["the masks do not say which CRS they are in, so the polygons have none"] = None
    return Written(tuple(layers), len(masks), num_polygons, tuple(notes))


def _name_layers(masks: dict[str, Path], out_dir: Path) -> dict[Path, dict[str, Path]]:
    """Return the masks of each GeoPackage in a folder: one."""
    layers: dict[Path, dict[str, Path]] = {}
    for name, mask_path in masks.items():
        path = out_dir / Path(name).with_suffix(_GEOPACKAGE)
        if path in layers:
            raise InvalidInputError(
                f"{next(iter(layers[path]))} and {name} would both become {path}; rename one",
                code="E-input-same-name",
            )
        layers[path] = {name: mask_path}
    return layers


class _Progress:
    """Counts finished masks."""

    def __init__(self, total: int, on_progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._on_progress = 0, total, on_progress

    def advance(self) -> None:
        self._done += 1
        if self._on_progress:
            self._on_progress(self._done, self._total)


def _features(masks: dict[str, Path], names: tuple[str, ...] | None, progress: _Progress) -> Iterator[_Feature]:
    """Yield the polygons of masks, mask by mask and window by window."""
    for source, path in masks.items():
        with open_mask(path, source) as mask:
            area_m2 = mask.area_m2
            for window in mask.windows():
                train_ids = mask.read(window, len(names) if names else None)
                for outline in trace_outlines(train_ids, (window[1].start, window[0].start), mask.transform):
                    attributes: dict[str, Any] = {"class": names[outline.train_id]} if names else {}
                    attributes["train_id"] = outline.train_id
                    if area_m2 is None:
                        attributes["area_px"] = outline.area_px
                    else:
                        attributes["area_m2"] = outline.area_px * area_m2
                    yield _Feature(outline, {**attributes, "source": source})
        progress.advance()


def _write_geopackage(
    path: Path, masks: dict[str, Path], names: tuple[str, ...] | None, crs: Any, progress: _Progress
) -> int:
    """Write the layer, a part at a time; return the number of polygons."""
    raw = import_geo("pyogrio.raw")
    area = ("area_m2", np.float64) if crs is not None and crs.is_projected else ("area_px", np.int64)
    fields = [*([("class", object)] if names else []), ("train_id", np.int32), area, ("source", object)]
    num_polygons = 0
    path.unlink(missing_ok=True)  # of a killed process with the same number
    for number, part in enumerate(_parts(_features(masks, names, progress))):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")  # a note says it
            raw.write(
                path,
                np.array([encode_wkb(feature.outline.rings) for feature in part], object),
                [np.array([feature.attributes[name] for feature in part], kind) for name, kind in fields],
                [name for name, _ in fields],
                layer=LAYER,
                driver="GPKG",
                geometry_type="Polygon",
                crs=None if crs is None else crs.to_wkt(version="WKT2_2019"),
                append=number > 0,
            )
        num_polygons += len(part)
    return num_polygons


def _parts(features: Iterable[_Feature]) -> Iterator[list[_Feature]]:
    """Yield lists of polygons; one at least, which may be empty."""
    waiting: list[_Feature] = []
    num_points = 0
    for feature in features:
        waiting.append(feature)
        num_points += sum(map(len, feature.outline.rings))
        if num_points >= _MAX_WAITING:
            yield waiting
            waiting, num_points = [], 0
    yield waiting


def _check_geopackage(path: Path, masks: dict[str, Path]) -> None:
    """Raise an error unless the polygons of each mask give the same mask again."""
    for source, mask_path in masks.items():
        with open_mask(mask_path, source) as mask:
            for window in mask.windows():
                different = int(np.count_nonzero(draw_window(path, mask, window) != mask.read(window)))
                if different:
                    raise InvalidDataError(
                        f"the polygons of {mask_path} differ from it at {different} pixels, so nothing was written;"
                        " its pixels may be smaller than float64 coordinates can tell apart",
                        code="E-data-polygons",
                    )


def draw_window(path: Path, mask: MapMask, window: tuple[slice, slice]) -> np.ndarray:
    """Draw the polygons of a GeoPackage into a window of the mask that they come from: uint8, 255 where none is."""
    from rasterio.features import rasterize
    from rasterio.windows import Window
    from rasterio.windows import transform as window_transform

    raw = import_geo("pyogrio.raw")
    rows, columns = window
    corners = np.array([(column, row) for column in (columns.start, columns.stop) for row in (rows.start, rows.stop)])
    x, y = place_points(corners, mask.transform).T.tolist()
    quoted = mask.name.replace("'", "''")
    _, _, geometries, (train_ids,) = raw.read(
        path, LAYER, columns=["train_id"], where=f"source = '{quoted}'", bbox=(min(x), min(y), max(x), max(y))
    )
    train_ids_of_window = np.full((rows.stop - rows.start, columns.stop - columns.start), IGNORED, np.uint8)
    transform = window_transform(Window.from_slices(rows, columns), mask.transform)
    to_pixels = ~transform
    waiting: list[tuple[dict[str, Any], int]] = []
    num_points = 0
    for number, (wkb, train_id) in enumerate(zip(geometries, train_ids, strict=True), 1):
        rings = decode_wkb(wkb)
        if _reaches(place_points(rings[0], to_pixels), train_ids_of_window.shape):
            waiting.append(({"type": "Polygon", "coordinates": [ring.tolist() for ring in rings]}, int(train_id)))
            num_points += sum(map(len, rings))
        if waiting and (num_points >= _MAX_WAITING or number == len(geometries)):
            rasterize(waiting, out=train_ids_of_window, transform=transform)
            waiting, num_points = [], 0
    return train_ids_of_window


def _reaches(pixels: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Return whether a ring can contain the centre of a pixel of a window; neighbours only touch its border.

    Args:
        pixels: columns and rows in the window, shape (points, 2).
        shape: of the window: height, width.
    """
    return bool((pixels.max(axis=0) > 0.25).all() and (pixels.min(axis=0) < np.array(shape[::-1]) - 0.25).all())


def _write_geojson(
    path: Path,
    masks: dict[str, Path],
    names: tuple[str, ...] | None,
    crs: Any,
    progress: _Progress,
    notes: dict[str, None],
) -> int:
    """Write a collection of features in longitude and latitude (RFC 7946); return the number of polygons."""
    from rasterio.warp import transform_geom

    if crs is None:
        raise InvalidDataError(
            f"the CRS of {next(iter(masks.values()))} is not known, and GeoJSON is in longitude and latitude; give"
            " `out` as .gpkg",
            code="E-data-place",
        )
    is_exact = crs.to_epsg(confidence_threshold=100) == 4326 or crs == type(crs).from_user_input(_LONGITUDE_LATITUDE)
    if not is_exact:
        notes[
            f"GeoJSON is in longitude and latitude: the coordinates were converted from {crs.to_string()[:60]} and"
            " rounded, so the masks cannot be recovered exactly; a GeoPackage keeps them"
        ] = None
    num_polygons = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for part in _parts(_features(masks, names, progress)):
            geometries: Any = [
                {"type": "Polygon", "coordinates": [ring.tolist() for ring in feature.outline.rings]}
                for feature in part
            ]
            if not is_exact and part:
                geometries = transform_geom(crs, _LONGITUDE_LATITUDE, geometries, precision=_DECIMALS)
            for feature, geometry in zip(part, geometries, strict=True):
                row = {"type": "Feature", "properties": feature.attributes, "geometry": geometry}
                file.write((",\n" if num_polygons else "\n") + json.dumps(row, ensure_ascii=False))
                num_polygons += 1
        file.write("\n]}\n")
    return num_polygons
