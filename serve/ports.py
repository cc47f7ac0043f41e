"""Addresses: whether the ports that the configuration names are free, and how to reach a server that is bound to one."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from serve.errors import ConfigError, PortInUse

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Claim:
    """A port that somebody is about to bind, and the keys of the configuration that say so."""

    key: str
    host_key: str
    host: str
    port: int


def check(claims: Sequence[Claim]) -> None:
    """Refuse two claims to one port, and a port that cannot be bound now.

    Raises:
        ConfigError: one port twice, or an address that is not this machine's.
        PortInUse: names key and port and, where the system tells, the process that listens there.

    """
    taken: dict[int, Claim] = {}
    for claim in claims:
        if other := taken.get(claim.port):
            raise ConfigError(f"{other.key} and {claim.key}: both want port {claim.port}")
        taken[claim.port] = claim
        _bind(claim)


def reachable(host: str) -> str:
    """Give the address at which a server bound to `host` answers on this machine, as it stands in a URL."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def _bind(claim: Claim) -> None:
    try:
        address = socket.getaddrinfo(claim.host, claim.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address[4])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{claim.key}: port {claim.port} on {claim.host} is in use{_by(claim.port)}") from error
        if error.errno == errno.EACCES:
            raise PortInUse(f"{claim.key}: port {claim.port}: this user may not listen on it") from error
        raise ConfigError(f"{claim.host_key} = {claim.host!r}: not an address of this machine: {error.strerror}") from error


def _by(port: int) -> str:
    with suppress(psutil.Error):  # not every system shows other users' sockets
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
