"""The text of `duet.yaml` as a mapping: each key once, and a key with nothing after it as if it were not there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

from serve.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class _TwiceError(yaml.YAMLError):
    """A mapping has one key twice; YAML forbids it, and the library would silently take the latter."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's
        keys = Counter((key.value, key.tag) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [key for (key, _), count in keys.items() if count > 1]:
            raise _TwiceError(f"{twice[0]}: this key stands twice in the mapping at line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def read(path: Path, sections: Sequence[str]) -> dict[str, Any]:
    """Read the whole file.

    Raises:
        ConfigError: the file cannot be read, is no YAML, has a key twice, or is not a mapping, which should have `sections`.

    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader, made stricter
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except _TwiceError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise ConfigError(f"{path}: {content!r}: should be a mapping with the sections {', '.join(sections)}")
    return _without_null(content or {})


def _without_null(section: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in section.items() if value is not None}
    return {key: _without_null(value) if isinstance(value, dict) else value for key, value in kept.items()}
