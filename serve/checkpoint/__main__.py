"""`python -m serve.checkpoint embedded {instruct|thinking} CACHE_DIR`: make the checkpoint if need be, print its folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from serve.checkpoint.embedded import folder_of
from serve.errors import CheckpointError
from serve.values import POOLS


def main() -> int:
    """Return the exit code; the folder is the last line on stdout."""
    parser = argparse.ArgumentParser(prog="python -m serve.checkpoint", description=__doc__)
    embedded = parser.add_subparsers(required=True).add_parser("embedded", help="a tiny Qwen3-VL with random weights")
    embedded.add_argument("kind", choices=POOLS)
    embedded.add_argument("cache_dir", type=Path, metavar="CACHE_DIR")
    asked = parser.parse_args()
    folder = folder_of(asked.kind, asked.cache_dir)
    if not folder.is_dir():
        from serve.checkpoint import recipe  # noqa: PLC0415 imports torch, which takes seconds that a made folder needs not wait

        try:
            recipe.make(asked.kind, asked.cache_dir)
        except CheckpointError as error:
            print(error.message, file=sys.stderr)  # noqa: T201 a command's own words
            return error.exit_code
    print(folder)  # noqa: T201 a command's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
