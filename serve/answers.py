"""What a plan is good for, in the terms that users ask in: requests at once, the largest picture, pages of a document. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.memory.tokens import image_tokens, largest_image_tokens

if TYPE_CHECKING:
    from serve.values import EnginePlan

REQUESTS = (8_192, 32_768)  # tokens, prompt and answer together
PAGE = (1_000, 707)  # height and width in pixels of a page of A4 whose longer side has 1,000
VISION_MARKS = 2  # tokens around a picture
TALK = 1_024  # tokens of a context for the question, the chat template and the answer


@dataclass(frozen=True, slots=True)
class Answers:
    """One engine: `requests` by their tokens, the largest picture and a page in tokens, and how many pages one context holds."""

    requests: dict[int, int]
    picture_pixels: int
    picture_tokens: int
    page_tokens: int
    pages: int


def answers(plan: EnginePlan) -> Answers:
    """Work them out."""
    settings, budget = plan.settings, plan.budget
    held = {tokens: min(budget.requests(tokens), settings.max_num_seqs) if budget else 0 for tokens in REQUESTS}
    page = image_tokens(*PAGE, settings.image_pixels) + VISION_MARKS
    return Answers(
        requests={tokens: count if tokens <= settings.max_model_len else 0 for tokens, count in held.items()},
        picture_pixels=settings.image_pixels.most,
        picture_tokens=largest_image_tokens(settings.image_pixels),
        page_tokens=page,
        pages=max(0, settings.max_model_len - TALK) // page,
    )
