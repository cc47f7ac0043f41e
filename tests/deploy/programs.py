"""Programs that the tests borrow from the system."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """Where `name` is; without it the test is skipped, or fails where everything is required."""
    path = shutil.which(name)
    if path is None:
        reason = f"no {name} on PATH (Debian and Ubuntu: apt-get install prometheus)"
        if os.environ.get("TESTS_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
