"""What `duet` prints once everything is ready: addresses, and two commands that work as they stand."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

from serve.planning.names import is_path
from serve.ports import reachable
from serve.values import EVERY_POOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serve.values import EnginePlan

# black on white, 256 x 96: Total 12.50
TOTAL_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAQAAAABgAQAAAADaipElAAABYklEQVR42u2VMVLCQBSGv42MQ+FA7CgcSeEBLLFij+IR9AImWDgUzsgROIgFMz"
    "oDndzAaIOdCVoEJsmzyBIIBgori2zzZ3e++d+/u28nStg/LCqgAiqgAmDxV4eequXzRIuCnoXadhANwDdLPCBBrwF3HOcOAVE8opnGN355hiEq"
    "W+rtCHlHoHxgwVUR8Iy2sAD71zbD/nwS1gGngK+B6RKCGBiZ9TmdAjD+bHRmWe4TYOFsO9TrMGmYE3GIPraBQW1dNoWvx713oTk63QLEsUarjR"
    "ODbZc6DDKJPJAyIDQxQvDrZcDU6PuuhnkKMn3eBdwb7e8CTHKxEU2DySag/FTn5+SAv69pY43a7G8RkbE8RGm3/RaJpN1AxG2GkbRFRESMQxRB"
    "4OMBIcnQm+MWS1wcM7nWDIFX5RCe1W6dAnB+qNB2/jwuWwd562SVxJWXRFbDTUVm5ltV/+4KqIAK+MfADxFRkyK4A5/OAAAAAElFTkSuQmCC"
)
PICTURE = f"data:image/png;base64,{TOTAL_PNG}"
MESSAGES = [
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": PICTURE}},
            {"type": "text", "text": "Read the text in this picture."},
        ],
    }
]


def greeting(url: str, plans: Sequence[EnginePlan], *, with_router: bool) -> str:
    """Compose the text; `url` is where clients go."""
    served = [f"  {plan.name:<10} http://{reachable(plan.host)}:{plan.port}  {plan.served_names[0]}" for plan in plans]
    endpoint = [f"  {'endpoint':<10} {url}/v1  models: auto, {', '.join(_names(plans))}"] if with_router else []
    return "\n".join(["Ready.", *endpoint, *served, "", "Try it:", curl(url), "", python(url), "", "Ctrl-C stops."])


def curl(url: str) -> str:
    """Ask about a picture with curl."""
    body = json.dumps({"model": "auto", "max_tokens": 64, "messages": MESSAGES})
    return f"curl {url}/v1/chat/completions -H 'content-type: application/json' -d {shlex.quote(body)}"


def python(url: str) -> str:
    """Ask about a picture with the OpenAI SDK, which vLLM brings along."""
    client = f'OpenAI(base_url="{url}/v1", api_key="none")'
    asking = f'{client}.chat.completions.create(model="auto", max_tokens=64, messages={json.dumps(MESSAGES)})'
    return f"{sys.executable} -c 'from openai import OpenAI; print({asking}.choices[0].message)'"


def _aliases(plan: EnginePlan) -> list[str]:
    return [name for name in plan.served_names[1:] if name not in EVERY_POOL and not is_path(name)]


def _names(plans: Sequence[EnginePlan]) -> list[str]:
    return list(dict.fromkeys(name for plan in plans for name in _aliases(plan) or plan.served_names[:1]))
