"""What a planner must know of a model: its shape, the bytes of its parts, its KV cache and its limits for pictures.

A card is read from a checkpoint's own files, of whose weights only the headers are looked at, or made from Duet's table of
published shapes, which needs no files and no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from serve.checkpoint.shapes import PUBLISHED, Shape
from serve.errors import ModelNotFound, PlanError
from serve.memory import counts, headers
from serve.memory.counts import PartName
from serve.memory.document import Document, load
from serve.memory.quantization import BLOCK, fp8_text_bytes, kv_bytes, kv_cache_dtype_of, method_of
from serve.memory.shape import shape_of
from serve.values import POOLS, PixelLimits

if TYPE_CHECKING:
    from pathlib import Path

PLAIN_BYTES = 2  # of a number: vLLM serves bfloat16 and float16, and turns float32 into one of them
# How vLLM 0.32 makes FP8 of a plain checkpoint while it loads, and the squares that share a scale; "fp8" is the first in short
# (vllm/config/quantization.py: `--quantization fp8` itself is for checkpoints that are in FP8 already).
ONLINE_FP8: dict[str, int | None] = {"fp8_per_tensor": None, "fp8": None, "fp8_per_block": BLOCK}

# preprocessor_config.json and video_preprocessor_config.json of every published Qwen3-VL
PUBLISHED_IMAGE_PIXELS = PixelLimits(least=65_536, most=16_777_216)
PUBLISHED_VIDEO_PIXELS = PixelLimits(least=4_096, most=25_165_824)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the model; `stored_bytes` is what the checkpoint holds of it, which is less where it is quantized."""

    name: PartName
    parameters: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model. `quantization` is the checkpoint's own ("fp8", "awq", ...); `kv_cache_dtype` what its own scheme asks for."""

    name: str
    shape: Shape
    parts: tuple[Part, ...]
    dtype: str
    quantization: str | None
    kv_cache_dtype: str | None
    image_pixels: PixelLimits
    video_pixels: PixelLimits
    source: Literal["files", "published"]

    @property
    def parameters(self) -> int:
        """Numbers in all, as if nothing were quantized."""
        return sum(part.parameters for part in self.parts)

    def weight_bytes(self, quantization: str | None = None) -> int:
        """Bytes of the weights on the GPU, or on all of them together.

        A plain checkpoint takes two bytes a number. With one of ONLINE_FP8 the numbers of `text_linear` take one, since
        vLLM is told to leave the rest alone (`serve/command.py`). A quantized one takes what it holds. PlanError for anything else.
        """
        if quantization is None or quantization == self.quantization:
            return sum(self._own_bytes(part) for part in self.parts)
        if self.quantization is not None:
            raise PlanError(f"{self.name} is quantized already ({self.quantization}), so it cannot become {quantization}")
        if quantization not in ONLINE_FP8:
            raise PlanError(
                f"quantization = {quantization!r}: {self.name} is plain; of such Duet makes {', '.join(ONLINE_FP8)}"
            )
        rest = sum(self._own_bytes(part) for part in self.parts if part.name != "text_linear")
        return rest + fp8_text_bytes(self.shape.text, ONLINE_FP8[quantization])

    def kv_bytes_per_token(self, kv_cache_dtype: str) -> int:
        """Bytes of one token's keys and values over all layers. "auto" is the checkpoint's own type, if it has one."""
        dtype = self.kv_cache_dtype if kv_cache_dtype == "auto" and self.kv_cache_dtype else kv_cache_dtype
        text = self.shape.text
        return 2 * text.layers * text.kv_heads * text.head_dim * kv_bytes(dtype)

    def _own_bytes(self, part: Part) -> int:
        return part.stored_bytes if self.quantization else part.parameters * PLAIN_BYTES


def read(folder: Path, name: str | None = None) -> ModelCard:
    """Read the card of a model folder; `name` is the folder's own unless given.

    Raises ModelNotFound, with file, key and value, where the folder holds no whole Qwen3-VL.
    """
    config = load(folder / "config.json")
    shape = shape_of(config)
    method = method_of(config.content)
    return ModelCard(
        name=name or folder.name,
        shape=shape,
        parts=_parts(folder, shape, method),
        dtype=_dtype(config),
        quantization=method,
        kv_cache_dtype=kv_cache_dtype_of(config.content),
        image_pixels=_image_pixels(folder),
        video_pixels=_video_pixels(folder),
        source="files",
    )


def published(name: str) -> ModelCard | None:
    """The card of a model that Qwen publishes ("Qwen/Qwen3-VL-4B-Instruct", "...-FP8", in any case); `None` for any other."""
    return _published().get(name.lower().removeprefix("qwen/"))


def _published() -> dict[str, ModelCard]:
    names = product(PUBLISHED.items(), POOLS, ("", "-FP8"))
    cards = (
        _published_card(f"Qwen3-VL-{size}-{pool.capitalize()}{end}", each, fp8=bool(end)) for (size, each), pool, end in names
    )
    return {card.name.lower().removeprefix("qwen/"): card for card in cards}


def _published_card(name: str, shape: Shape, *, fp8: bool) -> ModelCard:
    return ModelCard(
        name=f"Qwen/{name}",
        shape=shape,
        parts=_parts_of_shape(shape, fp8=fp8),
        dtype="bfloat16",
        quantization="fp8" if fp8 else None,
        kv_cache_dtype=None,
        image_pixels=PUBLISHED_IMAGE_PIXELS,
        video_pixels=PUBLISHED_VIDEO_PIXELS,
        source="published",
    )


def _parts_of_shape(shape: Shape, *, fp8: bool) -> tuple[Part, ...]:
    plain = tuple(Part(name, numbers, numbers * PLAIN_BYTES) for name, numbers in counts.parameters(shape).items())
    if not fp8:
        return plain
    text_bytes = fp8_text_bytes(shape.text, BLOCK)
    return tuple(Part(p.name, p.parameters, text_bytes) if p.name == "text_linear" else p for p in plain)


def _parts(folder: Path, shape: Shape, method: str | None) -> tuple[Part, ...]:
    """By the shape's own sum; what is stored of each part is the files' word where there are files."""
    stored = headers.tensors(folder)
    if not stored:
        if method not in (None, "fp8"):
            raise ModelNotFound(f"{folder}: without its weight files nobody can tell what {method} leaves of the weights")
        return _parts_of_shape(shape, fp8=method == "fp8")
    numbers, stored_bytes = _by_part(stored, shape)
    parameters = counts.parameters(shape)
    for name, expected in parameters.items():
        if method is None and numbers[name] != expected:
            raise ModelNotFound(
                f"{folder}: the weights of {name} are {numbers[name]:,} numbers; config.json asks for {expected:,}"
            )
    return tuple(Part(name, parameters[name], stored_bytes[name]) for name in parameters)


def _by_part(tensors: tuple[headers.Tensor, ...], shape: Shape) -> tuple[dict[PartName, int], dict[PartName, int]]:
    """Numbers and bytes; a head that is stored although it is the embedding itself is not loaded."""
    numbers: dict[PartName, int] = dict.fromkeys(get_args(PartName), 0)
    stored_bytes = dict(numbers)
    for tensor in tensors:
        name = counts.part_of(tensor.name)
        if name != "lm_head" or not shape.tied:
            numbers[name] += tensor.numbers
            stored_bytes[name] += tensor.stored_bytes
    return numbers, stored_bytes


def _dtype(config: Document) -> str:
    """transformers 4 wrote `torch_dtype`, and both versions write it outside or inside."""
    text = config.section("text_config")
    for place, key in product((config, text), ("dtype", "torch_dtype")):
        if key in place:
            return place.text(key)
    return "bfloat16"


def _image_pixels(folder: Path) -> PixelLimits:
    """transformers/image_processing_base.py: the file that describes all processors goes first."""
    processor = _processor(folder, "image_processor", "preprocessor_config.json")
    if "min_pixels" in processor and "max_pixels" in processor:  # the older form, which wins
        return PixelLimits(processor.integer("min_pixels"), processor.integer("max_pixels"))
    return _size(processor)


def _video_pixels(folder: Path) -> PixelLimits:
    """transformers/video_processing_utils.py: as for pictures, whose own file stands in for a missing one."""
    own = "video_preprocessor_config.json"
    return _size(_processor(folder, "video_processor", own if (folder / own).is_file() else "preprocessor_config.json"))


def _processor(folder: Path, key: str, file: str) -> Document:
    everything = folder / "processor_config.json"
    if everything.is_file():
        document = load(everything)
        if key in document:
            return document.section(key)
    return load(folder / file)


def _size(processor: Document) -> PixelLimits:
    size = processor.section("size")
    return PixelLimits(size.integer("shortest_edge"), size.integer("longest_edge"))
