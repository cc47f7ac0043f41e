"""Which hosts a load test may hit without being told twice."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine by `localhost` or by a loopback address; other names are not resolved."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(url: str | None, *, remote_allowed: bool) -> str | None:
    """Why a load test against `url` must not start, or None when it may."""
    if not url:
        return "no host to test: pass --host http://127.0.0.1:8000"
    if remote_allowed or is_loopback(url):
        return None
    return f"--host {url} is not this machine; a load test can take a server down. Pass --allow-remote-host if you mean it."
