"""What happens to a page before somebody sends it: turned, seen aslant, blurred, tinted, noisy, compressed."""

from __future__ import annotations

import io
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from serve.nano.drawing.paint import Painting

if TYPE_CHECKING:
    from random import Random

    import numpy.typing as npt

_NOISE_SIDE = 2048


def photograph(page: Painting, rng: Random) -> Painting:
    """`page` with boxes that follow; in colour."""
    if rng.random() < 0.3:
        page = _aslant(page, rng)
    image = page.image
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.BoxBlur(rng.choice((0.4, 0.6, 0.8, 1.0))))
    if rng.random() < 0.12:
        image = _shaded(image, rng)
    if image.mode == "L":
        image = _coloured(image, rng)
    if rng.random() < 0.3:
        image = _noisy(image, rng)
    if rng.random() < 0.15:
        image = _compressed(image, rng.randint(35, 90))
    return Painting(image, page.chars, page.boxes)


def _aslant(page: Painting, rng: Random) -> Painting:
    """Rotate by up to 5 degrees, mostly less, and move the corners a little; everything stays inside."""
    width, height = page.image.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    moved = _turned(corners, math.radians(rng.gauss(0, 2.0)), math.radians(5))
    if rng.random() < 0.5:
        wobble = 0.025 * min(width, height)
        moved = moved + np.array([[rng.uniform(-wobble, wobble), rng.uniform(-wobble, wobble)] for _ in range(4)])
    moved = _fitted(moved, width, height)
    there = _homography(corners, moved)
    back = np.linalg.inv(there)
    ground = _ground(page.image, rng)
    image = page.image.transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        tuple((back / back[2, 2]).ravel()[:8]),
        Image.Resampling.BILINEAR,
        fillcolor=ground,
    )
    return Painting(image, page.chars, _moved(page.boxes, there))


def _turned(points: npt.NDArray[np.float64], angle: float, most: float) -> npt.NDArray[np.float64]:
    angle = max(-most, min(most, angle))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    middle = points.mean(axis=0)
    return np.asarray((points - middle) @ turn + middle)


def _fitted(points: npt.NDArray[np.float64], width: int, height: int) -> npt.NDArray[np.float64]:
    """Shrunk and moved to where all corners lie inside."""
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    allowed = np.array([width, height], dtype=np.float64)
    scale = min(1.0, float((allowed / span).min()))
    return np.asarray((points - low - span / 2) * scale + np.array([width / 2, height / 2]))


def _homography(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The 3 x 3 matrix that carries four points to four others."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.append(np.linalg.solve(np.array(rows), target.ravel()), 1.0).reshape(3, 3)


def _moved(boxes: npt.NDArray[np.float64], there: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The upright boxes around the moved ones."""
    if not len(boxes):
        return boxes
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    carried = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=-1) @ there.T
    flat = carried[..., :2] / carried[..., 2:]
    return np.concatenate([flat.min(axis=1), flat.max(axis=1)], axis=1)


def _ground(image: Image.Image, rng: Random) -> int | tuple[int, int, int]:
    """What lies around the page: more of it, or a darker table."""
    if image.mode == "L":
        return rng.choice((255, 255, rng.randint(120, 240)))
    return rng.choice((image.getpixel((1, 1)), (rng.randint(60, 220),) * 3))  # type: ignore[return-value]  # RGB pixels are triples


def _shaded(image: Image.Image, rng: Random) -> Image.Image:
    """Light from one side."""
    ramp = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(image.size)
    dark = rng.randint(120, 200)
    ramp = ramp.point([dark + value * (255 - dark) // 255 for value in range(256)])
    return ImageChops.multiply(image, ramp if image.mode == "L" else Image.merge("RGB", (ramp,) * 3))


def _coloured(image: Image.Image, rng: Random) -> Image.Image:
    """Give ink and paper their colours: black on white, worn, tinted, or light on dark."""
    ink, paper = _colours(rng)
    bands = [
        image.point([low + (high - low) * grey // 255 for grey in range(256)]) for low, high in zip(ink, paper, strict=True)
    ]
    return Image.merge("RGB", bands)


def _colours(rng: Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
    kind = rng.random()
    if kind < 0.35:
        return (rng.randint(0, 30),) * 3, (rng.randint(245, 255),) * 3
    if kind < 0.55:
        return _dark(rng, 90), _light(rng, 200)
    if kind < 0.7:
        ink = rng.randint(0, 110)
        return (ink,) * 3, (ink + rng.randint(100, 140),) * 3
    if kind < 0.9:
        return _light(rng, 190), _dark(rng, 80)
    return (rng.randint(230, 255),) * 3, (rng.randint(0, 40),) * 3


def _dark(rng: Random, most: int) -> tuple[int, ...]:
    return tuple(rng.randint(0, most) for _ in range(3))


def _light(rng: Random, least: int) -> tuple[int, ...]:
    return tuple(rng.randint(least, 255) for _ in range(3))


@cache
def _grain() -> Image.Image:
    values = np.random.default_rng(7).normal(128, 40, (_NOISE_SIDE, _NOISE_SIDE))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _noisy(image: Image.Image, rng: Random) -> Image.Image:
    width, height = image.size
    left, top = (rng.randint(0, max(0, _NOISE_SIDE - side)) for side in (width, height))
    grain = _grain().crop((left, top, left + width, top + height))
    strength = rng.choice((0.1, 0.15, 0.2, 0.3))
    grain = grain.point([round(128 + (value - 128) * strength) for value in range(256)])
    return ImageChops.add(image, Image.merge("RGB", (grain,) * 3), 1, -128)


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    file.seek(0)
    return Image.open(file).convert("RGB")
