"""Draws the pictures that a load test sends: receipts, street signs and bar charts, the same for the same seed."""

import io
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw, ImageFont

Size = tuple[int, int]
INK, PAPER = "#1a1a1a", "#fdfcf7"
GOODS = ("Green tea", "Rice 5 kg", "Soy sauce", "Notebook A5", "Batteries AA", "Olive oil", "Oat milk", "Light bulb")
STREETS = ("Station Road", "Harbour Street", "Mill Lane", "Garden Avenue", "Museum Square", "Bridge Street", "North Gate")
SIGN_COLOURS = ("#0b5394", "#38761d", "#7f1d1d", "#3d3d3d")
BAR_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug")


def receipt(random: Random, size: Size) -> Image.Image:
    """Draw goods with prices and a total, as many lines as fit on the page."""
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    font = _font(size[1] // 18)
    line, right = size[1] // 12, size[0] - size[0] // 12
    prices = [random.randrange(99, 9999) for _ in range(random.randint(3, 8))]
    rows = [(random.choice(GOODS), price) for price in prices]
    for number, (name, price) in enumerate([*rows, ("TOTAL", sum(prices))], start=1):
        draw.text((size[0] // 12, line * number), name, INK, font)
        draw.text((right, line * number), f"{price / 100:.2f}", INK, font, anchor="ra")
    draw.text((size[0] // 2, line * 10.5), f"Receipt {random.randrange(10**8):08d}", INK, font, anchor="ma")
    return image


def street_sign(random: Random, size: Size) -> Image.Image:
    """Draw a sign with a street and a house number on a grey day."""
    grey = random.randint(120, 220)
    image = Image.new("RGB", size, (grey, grey, min(255, grey + 15)))
    draw = ImageDraw.Draw(image)
    width, height = size
    box = (width // 12, height // 3, width - width // 12, height - height // 3)
    draw.rounded_rectangle(
        box, radius=height // 30, fill=random.choice(SIGN_COLOURS), outline="white", width=max(2, height // 90)
    )
    name = f"{random.choice(STREETS)} {random.randint(1, 4999)}"
    draw.text((width // 2, height // 2), name, "white", _font(width // 14), anchor="mm")
    return image


def bar_chart(random: Random, size: Size) -> Image.Image:
    """Draw values by month, each written over its bar."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    width, height = size
    font = _font(height // 24)
    values = [random.randint(5, 999) for _ in range(random.randint(3, len(MONTHS)))]
    step, floor = width // (len(values) + 1), height - height // 8
    for number, value in enumerate(values, start=1):
        left, top = step * number - step // 2, floor - value * (height * 5 // 8) // max(values)
        draw.rectangle((left, top, left + step * 2 // 3, floor), fill=BAR_COLOURS[number % len(BAR_COLOURS)])
        draw.text((left + step // 3, top - 4), str(value), INK, font, anchor="ms")
        draw.text((left + step // 3, floor + 4), MONTHS[number - 1], INK, font, anchor="ma")
    return image


DRAWINGS: dict[str, Callable[[Random, Size], Image.Image]] = {"receipt": receipt, "sign": street_sign, "chart": bar_chart}


def png(kind: str, random: Random, size: Size) -> bytes:
    """Draw `kind` (a key of DRAWINGS) at `size` = (width, height) in pixels; return a PNG file."""
    file = io.BytesIO()
    DRAWINGS[kind](random, size).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, height))
