"""A load test starts against this machine alone."""

import pytest

from loadtests.target import refusal


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "http://127.9.9.9"])
def test_this_machine(url: str) -> None:
    assert refusal(url, remote_allowed=False) is None


@pytest.mark.parametrize(
    "url", ["http://192.168.1.4:8000", "http://api.example.com", "http://127.0.0.1.example.com", "http://localhost@example.com"]
)
def test_another_machine_is_named_unless_it_is_allowed(url: str) -> None:
    assert url in str(refusal(url, remote_allowed=False))
    assert refusal(url, remote_allowed=True) is None
