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
        await asyncio.gather(*(self._poll(url) for url in self._fleet.urls()))

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

    async def _poll(self, url: str) -> None:
        try:
            status, _ = await self._upstream.get(f"{url}/health", TIMEOUT_S)
            if status != 200:
                self._lost(url, f"/health answered {status}")
            elif not self._fleet.is_ready(url):
                await self._meet(url)
        except UpstreamFailed as error:
            self._lost(url, error.message)

    async def _meet(self, url: str) -> None:
        _, models = await self._upstream.get(f"{url}/v1/models", TIMEOUT_S)
        _, metrics = await self._upstream.get(f"{url}/metrics", TIMEOUT_S)
        try:
            served = scrape.served(models, metrics)
        except msgspec.DecodeError as error:
            self._lost(url, f"/v1/models is not a list of models: {error}")
            return
        self._fleet.mark_ready(url, served)
        log.info("%s is ready and serves %s", url, ", ".join(served.ids))

    def _lost(self, url: str, why: str) -> None:
        if self._fleet.is_ready(url):
            log.warning("%s is not ready any more: %s", url, why)
        self._fleet.mark_down(url)
