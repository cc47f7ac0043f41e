"""Watches the replicas: resolves names, polls health, and asks those that became ready what they serve."""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from router import scrape
from router.errors import UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config import RouterConfig
    from router.fleet import Fleet
    from router.upstream import Upstream
    from router.values import Replica

log = logging.getLogger("duet.router")
TIMEOUT_S = 5.0
FIRST_LOOK_S = 1.0
DNS = "dns://"


class Watch:
    """Keeps `fleet` true, a round every `router.poll_interval_s`."""

    def __init__(self, config: RouterConfig, fleet: Fleet, upstream: Upstream, on_round: Callable[[], None]) -> None:
        self._config, self._fleet, self._upstream, self._on_round = config, fleet, upstream, on_round
        self._addresses: dict[str, list[str]] = {}
        self._polls: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._said: dict[str, str] = {}

    async def first_look(self) -> None:
        """One round, and a little time for its answers: who asks next should not hear that a model is unknown."""
        await self.round()
        if self._polls:
            await asyncio.wait(self._polls.values(), timeout=FIRST_LOOK_S)

    async def run(self) -> None:
        while True:
            try:
                await self.round()
                self._on_round()
            except Exception:  # a watch that died would freeze the fleet for ever; nothing else would notice
                log.exception("a round of the watch failed")
            await asyncio.sleep(self._config.router.poll_interval_s)

    async def round(self) -> None:
        for pool, section in self._config.pools.items():
            lists = await asyncio.gather(*(self._resolve(url) for url in section.replicas))
            self._fleet.sync(pool, [url for urls in lists for url in urls])
        for replica in self._fleet.all():
            key = (replica.pool, replica.url)
            if key not in self._polls:  # one that is slow to answer holds up nobody else
                self._polls[key] = asyncio.create_task(self._poll(replica))
                self._polls[key].add_done_callback(partial(self._polled, key))

    def _polled(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        del self._polls[key]
        if not task.cancelled() and (error := task.exception()):
            log.error("%s cannot be polled", key[1], exc_info=error)

    async def _resolve(self, url: str) -> list[str]:
        """`dns://name:port` → one URL an address; any other URL is itself. A name that fails to resolve keeps its last addresses."""
        if not url.startswith(DNS):
            return [url]
        name, _, port = url.removeprefix(DNS).rpartition(":")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self._say_once(url, f"does not resolve: {error}")
            return self._addresses.get(url, [])
        self._said.pop(url, None)
        hosts = sorted({str(address[0]) for *_, address in found})
        self._addresses[url] = [f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}" for host in hosts]
        return self._addresses[url]

    async def _poll(self, replica: Replica) -> None:
        try:
            status, _ = await self._upstream.get(replica.url, "/health", TIMEOUT_S)
            if status != 200:
                self._lost(replica, f"/health answered {status}")
            elif not replica.ready:
                await self._meet(replica)
        except UpstreamFailed as error:
            self._lost(replica, error.message)

    async def _meet(self, replica: Replica) -> None:
        _, models = await self._upstream.get(replica.url, "/v1/models", TIMEOUT_S)
        _, metrics = await self._upstream.get(replica.url, "/metrics", TIMEOUT_S)
        try:
            served = scrape.served(models, metrics)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._lost(replica, f"/v1/models is not a list of models: {error}")
            return
        self._fleet.mark_ready(replica, served)
        self._said.pop(replica.url, None)
        log.info("%s is ready for %s and serves %s", replica.url, replica.pool, ", ".join(served.ids))

    def _lost(self, replica: Replica, why: str) -> None:
        self._fleet.mark_down(replica)
        self._say_once(replica.url, f"is not ready: {why}")

    def _say_once(self, who: str, what: str) -> None:
        if self._said.get(who) != what:
            self._said[who] = what
            log.warning("%s %s", who, what)
