"""The tokenizer files of a checkpoint, in the published form: Qwen2's byte-level BPE with Qwen3's special tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from serve.checkpoint.special_tokens import CONTROL, added_tokens
from serve.checkpoint.vocabulary import WORD_PATTERN

if TYPE_CHECKING:
    from pathlib import Path

    from serve.checkpoint.vocabulary import Vocabulary

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def write(folder: Path, vocabulary: Vocabulary, positions: int, chat_template: str) -> None:
    """Write tokenizer.json, vocab.json, merges.txt and tokenizer_config.json; `positions` is the longest input in tokens."""
    _write_json(folder / "tokenizer.json", pipeline(vocabulary))
    _write_json(folder / "vocab.json", _ids(vocabulary))
    (folder / "merges.txt").write_text("".join(f"{left} {right}\n" for left, right in vocabulary.merges), encoding="utf-8")
    _write_json(folder / "tokenizer_config.json", _config(len(vocabulary.pieces), positions, chat_template))


def _write_json(path: Path, content: dict[str, object] | dict[str, int]) -> None:
    # No indentation: a list of 150,000 merges is mostly white space otherwise.
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _ids(vocabulary: Vocabulary) -> dict[str, int]:
    return {piece: index for index, piece in enumerate(vocabulary.pieces)}


def pipeline(vocabulary: Vocabulary) -> dict[str, object]:
    added = added_tokens(len(vocabulary.pieces))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": index, **token} for index, token in added.items()],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": WORD_PATTERN}, "behavior": "Isolated", "invert": False},
                _BYTE_LEVEL,
            ],
        },
        "post_processor": _BYTE_LEVEL,
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": _ids(vocabulary),
            "merges": vocabulary.merges,
        },
    }


def _config(base_tokens: int, positions: int, chat_template: str) -> dict[str, object]:
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(index): token for index, token in added_tokens(base_tokens).items()},
        "additional_special_tokens": [token for token in CONTROL if token != "<|endoftext|>"],  # noqa: S105 a token of text
        "bos_token": None,
        "chat_template": chat_template,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": positions,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
