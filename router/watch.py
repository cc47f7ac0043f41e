"""Watches the replicas: resolves names, polls health, and asks those that became ready what they serve."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import msgspec

from router import scrape
from router.errors import UpstreamFailed

if TYPE_CHECKING:
    from router.config import RouterConfig
    from router.fleet import Fleet
    from router.upstream import Upstream
    from router.values import Replica

log = logging.getLogger("duet.router")
TIMEOUT_S = 5.0
DNS = "dns://"


class Watch:
    """Keeps `fleet` true, a round every `router.poll_interval_s`."""

    def __init__(self, config: RouterConfig, fleet: Fleet, upstream: Upstream) -> None:
        self._config, self._fleet, self._upstream = config, fleet, upstream

    async def run(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(self._config.router.poll_interval_s)

    async def round(self) -> None:
        for pool, section in self._config.pools.items():
            lists = await asyncio.gather(*(self._resolve(url) for url in section.replicas))
            self._fleet.sync(pool, [url for urls in lists for url in urls])
        await asyncio.gather(*(self._poll(replica) for replica in self._fleet.all()))

    async def _resolve(self, url: str) -> list[str]:
        """`dns://name:port` → one URL an address; any other URL is itself."""
        if not url.startswith(DNS):
            return [url]
        name, _, port = url.removeprefix(DNS).rpartition(":")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            log.warning("%s does not resolve: %s", url, error)
            return []
        hosts = sorted({str(address[0]) for *_, address in found})
        return [f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}" for host in hosts]

    async def _poll(self, replica: Replica) -> None:
        try:
            status, _ = await self._upstream.get(f"{replica.url}/health", TIMEOUT_S)
            if status != 200:
                self._lost(replica, f"/health answered {status}")
            elif not replica.ready:
                await self._meet(replica)
        except UpstreamFailed as error:
            self._lost(replica, error.message)

    async def _meet(self, replica: Replica) -> None:
        _, models = await self._upstream.get(f"{replica.url}/v1/models", TIMEOUT_S)
        _, metrics = await self._upstream.get(f"{replica.url}/metrics", TIMEOUT_S)
        try:
            served = scrape.served(models, metrics)
        except msgspec.DecodeError as error:
            log.warning("%s: /v1/models is not a list of models: %s", replica.url, error)
            return
        self._fleet.mark_ready(replica, served)
        log.info("%s is ready for %s and serves %s", replica.url, replica.pool, ", ".join(served.ids))

    def _lost(self, replica: Replica, why: str) -> None:
        if replica.ready:
            log.warning("%s is not ready any more: %s", replica.url, why)
        self._fleet.mark_down(replica)
