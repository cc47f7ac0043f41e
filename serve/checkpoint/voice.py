"""What little order random weights need to speak: words and no control tokens, and a thought that ends once.

Three channels of the residual stream are kept free of noise: nothing random writes to them. `_ALWAYS` is the same for every
token of text, `_MARK` is set by `</think>` alone, and `_ENDED` is set for every token after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from transformers import Qwen3VLTextConfig

_ALWAYS, _MARK, _ENDED = range(3)
_QUIET = slice(3)
_WRITERS = ("self_attn.o_proj.weight", "mlp.down_proj.weight", "linear_fc2.weight")  # of the residual stream

_SET = 4.0
_REFUSAL = -20.0
_LOGIT_SPREAD = 3.0  # standard deviation of the logits: neither one sure token nor noise
_LOUD = 2.0  # a row this much louder than the others is the greatest logit about once in 40 tokens

_EMBEDDING = "model.language_model.embed_tokens.weight"
_HEAD = "lm_head.weight"


def give_voice(tensors: dict[str, torch.Tensor], sayable: Sequence[int]) -> None:
    """Clear the quiet channels, and refuse every token whose id is not in `sayable`, whatever the other channels hold."""
    for name, tensor in tensors.items():
        if name.endswith(_WRITERS) and "visual.blocks" not in name:
            tensor[_QUIET] = 0
    tensors[_EMBEDDING][:, _QUIET] = 0
    tensors[_EMBEDDING][:, _ALWAYS] = _SET
    tensors[_HEAD] *= _LOGIT_SPREAD
    tensors[_HEAD][:, _QUIET] = 0
    tensors[_HEAD][:, _ALWAYS] = _REFUSAL
    tensors[_HEAD][list(sayable), _ALWAYS] = 0


def let_thoughts_end(tensors: dict[str, torch.Tensor], text: Qwen3VLTextConfig, token: int) -> None:
    """Let `token` be said now and then, and never again where it stands in the context.

    The last key-value head of the last layer is given to this: it looks for the mark and hands it on as `_ENDED`. Key and
    query meet in the slowest rotary pair, which forty thousand positions turn by a hundredth of a radian.
    """
    layer = f"model.language_model.layers.{text.num_hidden_layers - 1}.self_attn"
    per_key = text.num_attention_heads // text.num_key_value_heads
    slowest = text.head_dim // 2 - 1
    for projection, heads, channel, row in (
        ("q_proj", per_key, _ALWAYS, slowest),
        ("k_proj", 1, _MARK, slowest),
        ("v_proj", 1, _MARK, 0),
    ):
        rows = tensors[f"{layer}.{projection}.weight"][-heads * text.head_dim :]
        rows.zero_()
        rows[row :: text.head_dim, channel] = 1
    tensors[f"{layer}.o_proj.weight"][_ENDED, -per_key * text.head_dim :: text.head_dim] = 1
    tensors[_EMBEDDING][token, _MARK] = _SET
    tensors[_HEAD][token] *= _LOUD
    tensors[_HEAD][token, _ALWAYS] = 0
    tensors[_HEAD][token, _ENDED] = _REFUSAL
