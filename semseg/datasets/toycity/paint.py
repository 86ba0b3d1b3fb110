"""From a scene to a picture: sky, marks in order at twice the size, and shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from semseg.datasets.toycity import textures
from semseg.datasets.toycity.camera import Camera
from semseg.datasets.toycity.exposure import add_haze, add_reflections, expose
from semseg.datasets.toycity.outline import Annotation, bounds, fill_mask
from semseg.datasets.toycity.scene import Art, Fill, Ground, Scene, Shadow, Thing

_FINE = 2  # painted at this many pixels per pixel
_MIN_BOX_PX = 250  # a mark whose box has fewer painted pixels gets one colour


def paint_scene(scene: Scene, annotation: Annotation, rng: np.random.Generator) -> np.ndarray:
    """Paint a scene as a camera would see it.

    Args:
        scene: to paint.
        annotation: of the same scene; its depths define the haze, its roads the reflections.
        rng: for noise and lens.

    Returns:
        RGB, uint8, shape (height, width, 3).
    """
    camera = scene.camera
    view = _view_ground(camera)
    canvas = _paint_sky(scene, rng)
    for thing in scene.ground:
        _paint_thing(canvas, thing, view)
    _paint_shadows(canvas, scene.shadows)
    for thing in scene.standing:
        _paint_thing(canvas, thing, view)
    is_frame = np.zeros((camera.height, camera.width), np.uint8)
    image = cv2.resize(canvas, (camera.width, camera.height), interpolation=cv2.INTER_AREA).astype(np.float32)
    image = add_haze(image, annotation.depth_m, scene)
    if scene.light.wetness:
        image = add_reflections(image, annotation.label_ids, scene, rng)
    if scene.frame:
        own = np.ascontiguousarray(cv2.resize(image, None, fx=_FINE, fy=_FINE).clip(0, 255).astype(np.uint8))
        for thing in scene.frame:
            _paint_thing(own, thing, view)
            for mark in thing.marks:
                fill_mask(is_frame, mark.polygon, 1)
        own = cv2.resize(own, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        image = np.where(is_frame[..., None] > 0, own, image)
    return expose(image.astype(np.float32), scene, rng)


@dataclass(frozen=True)
class _GroundView:
    """The point of the ground that each pixel below the horizon shows; arrays are float32, (height - top, width)."""

    camera: Camera
    top: int  # the first row that shows ground
    x_m: np.ndarray  # to the right
    z_m: np.ndarray  # along the street
    stretch_m: np.ndarray  # metres along the street in one pixel
    stains: np.ndarray  # factors around 1: stains that are larger than any texture


def _view_ground(camera: Camera) -> _GroundView:
    top = int(np.clip(camera.horizon - 0.01 * camera.width, 0, camera.height - 1))
    to_picture = camera.homography(np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 0, 1.0]))
    to_world = np.linalg.inv(to_picture).astype(np.float32)
    u = np.arange(camera.width, dtype=np.float32)[None] + 0.5
    v = np.arange(top, camera.height, dtype=np.float32)[:, None] + 0.5
    x, z, w = (row[0] * u + row[1] * v + row[2] for row in to_world)
    w = np.where(w * np.sign(w[-1, 0]) < 1e-6, np.float32(1e-6) * np.sign(w[-1, 0]), w)
    x_m, z_m = x / w, z / w
    stretch_m = z_m * z_m / (camera.focal_px * camera.height_m)
    return _GroundView(camera, top, x_m, z_m, stretch_m, 0.09 * textures.sample("cloud", x_m * 14, z_m * 9) + 1)


def _paint_thing(canvas: np.ndarray, thing: Thing, view: _GroundView) -> None:
    """Paint the marks of a thing; `Clear` leaves no paint. Modifies `canvas`, as the functions below do."""
    for mark in thing.marks:
        if isinstance(mark, Fill):
            _paint_fill(canvas, mark)
        elif isinstance(mark, Art):
            _paint_art(canvas, mark)
        elif isinstance(mark, Ground):
            _paint_ground(canvas, mark, view)


def _paint_fill(canvas: np.ndarray, mark: Fill) -> None:
    polygon = mark.polygon * _FINE
    end = mark.color if mark.end is None else mark.end
    is_plain = mark.end is None and mark.texture is None
    left, top, right, bottom = (0, 0, 0, 0) if is_plain else bounds([polygon], canvas.shape[1], canvas.shape[0])
    height, width = bottom - top, right - left
    if width * height < _MIN_BOX_PX:
        color = [min(max(0.5 * (a + b), 0.0), 255.0) for a, b in zip(mark.color, end, strict=True)]
        cv2.fillPoly(canvas, [np.rint(polygon * 8 - 4).astype(np.int32)], color, cv2.LINE_8, 3)
        return
    along = polygon[:, 0 if mark.sideways else 1].tolist()
    low, high = min(along), max(along)
    first, num_steps = (left, width) if mark.sideways else (top, height)
    share = (np.arange(num_steps, dtype=np.float32)[:, None] + (first - low)) / max(high - low, 1e-3)
    color = np.asarray(mark.color, np.float32)
    ramp = color + (np.asarray(end, np.float32) - color) * np.clip(share, 0, 1)
    paint = ramp[None] if mark.sideways else ramp[:, None]
    if mark.texture is not None:
        grain = textures.window(mark.texture, mark.offset, width, height, mark.texel_px * _FINE)
        paint = paint * (mark.grain * grain + np.float32(1))[..., None]
    else:
        paint = np.broadcast_to(paint, (height, width, 3))
    mask = np.zeros((height, width), np.uint8)
    fill_mask(mask, mark.polygon, _FINE, left, top)
    _copy(canvas[top:bottom, left:right], paint, mask)


def _paint_art(canvas: np.ndarray, mark: Art) -> None:
    left, top, right, bottom = bounds([mark.polygon * _FINE], canvas.shape[1], canvas.shape[0])
    size = (right - left, bottom - top)
    place = np.array([[_FINE, 0, -0.5 - left], [0, _FINE, -0.5 - top], [0, 0, 1.0]])
    centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    warped = cv2.warpPerspective(
        mark.image,
        place @ mark.homography @ centre,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    mask = np.zeros(size[::-1], np.uint8)
    fill_mask(mask, mark.polygon, _FINE, left, top)
    window = canvas[top:bottom, left:right]
    if mark.image.shape[2] == 4:
        opacity = (warped[..., 3:] * (mask[..., None] > 0)).astype(np.float32) / 255
        window[:] = (window * (1 - opacity) + warped[..., :3] * opacity).astype(np.uint8)
    else:
        _copy(window, warped, mask)


def _paint_ground(canvas: np.ndarray, mark: Ground, view: _GroundView) -> None:
    """Paint a piece of the ground, computed at the size of the picture because it has no sharp detail."""
    left, top, right, bottom = bounds([mark.polygon], view.camera.width, view.camera.height)
    top = max(top, view.top)
    part = np.s_[top - view.top : bottom - view.top, left:right]
    texels_per_m = textures.EDGE / mark.tile_m
    column = view.x_m[part] * texels_per_m + mark.offset[0]
    grain = textures.sample(mark.texture, column, view.z_m[part] * texels_per_m + mark.offset[1])
    # texels that one pixel spans along the street: beyond a few, the texture would flicker
    span = view.stretch_m[part] * texels_per_m
    factor = grain * (mark.grain / (1 + (span / 5) ** 2)) + view.stains[part]
    scalar = (*mark.color, 0.0)
    paint = cv2.multiply(cv2.merge([factor] * 3), scalar, dtype=cv2.CV_8U)  # pyrefly: ignore[no-matching-overload] scalars are allowed
    paint = cv2.resize(paint, None, fx=_FINE, fy=_FINE)
    mask = np.zeros(paint.shape[:2], np.uint8)
    fill_mask(mask, mark.polygon, _FINE, left * _FINE, top * _FINE)
    _copy(canvas[top * _FINE : bottom * _FINE, left * _FINE : right * _FINE], paint, mask)


def _copy(window: np.ndarray, paint: np.ndarray, mask: np.ndarray) -> None:
    if paint.dtype != np.uint8:
        paint = cv2.convertScaleAbs(np.maximum(paint, 0))
    cv2.copyTo(np.ascontiguousarray(paint), mask, window)


def _paint_sky(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    camera, light = scene.camera, scene.light
    v, u = np.mgrid[0 : camera.height : 2, 0 : camera.width : 2].astype(np.float32)  # the sky is soft
    elevation = ((camera.horizon - v) / camera.focal_px).clip(0.005, None)
    share = np.clip(elevation / 0.45, 0, 1)[..., None] ** 0.7
    sky = light.horizon_rgb * (1 - share) + light.zenith_rgb * share
    bearing = (u - camera.width / 2) / camera.focal_px + camera.yaw
    if light.cloud_cover > 0:
        reach = 120 / (elevation + 0.12)
        offset = rng.uniform(0, textures.EDGE, 2)
        cloud = textures.sample("cloud", bearing * reach * 1.6 + offset[0], reach + offset[1])
        density = ((cloud + 1.6 * light.cloud_cover - 0.9) * 1.5).clip(0, 1)[..., None] * 0.9
        base = light.cloud_rgb * (1 - 0.16 * (cloud + 1) / 2 * (density[..., 0] > 0.5))[..., None]
        sky = sky * (1 - density) + base * density
    if light.shadow:
        sun_bearing = np.arctan2(light.sun[0], light.sun[2])
        distance = np.hypot(bearing - sun_bearing, elevation - np.tan(np.arcsin(light.sun[1])))
        glow = np.exp(-((distance / 0.28) ** 2)) * 0.6
        sky = sky + (np.array([255, 240, 205]) - sky) * glow[..., None]
    fine_size = (camera.width * _FINE, camera.height * _FINE)
    return cv2.resize(sky.clip(0, 255).astype(np.uint8), fine_size, interpolation=cv2.INTER_LINEAR)


def _paint_shadows(canvas: np.ndarray, shadows: list[Shadow]) -> None:
    height, width = canvas.shape[0] // _FINE, canvas.shape[1] // _FINE
    light = np.ones((height, width), np.float32)
    for is_contact in (False, True):
        layer = np.zeros((height, width), np.uint8)
        strength = 0.0
        for shadow in shadows:
            if shadow.is_contact == is_contact:
                fill_mask(layer, shadow.polygon, 1)
                strength = max(strength, shadow.strength)
        blur_px = width / 512 * (2.5 if is_contact else 1.2)
        light *= 1 - strength * cv2.GaussianBlur(layer, (0, 0), blur_px).astype(np.float32) / 255
    top = int(np.argmax((light < 0.999).any(axis=1)))
    light = cv2.resize(light[top:], (canvas.shape[1], canvas.shape[0] - top * _FINE))
    # shadows are blue: the sky still lights them
    factors = np.stack([light, light * 0.98 + 0.02, light * 0.93 + 0.07], axis=-1)
    window = canvas[top * _FINE :]
    window[:] = (window * factors).astype(np.uint8)
