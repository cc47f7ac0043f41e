"""Runs the application on uvicorn: in this process, or in several that share one port.

Workers have nothing in common but the port: each watches the fleet for itself. Counters are summed over them by prometheus_client's own
multi-process mode (https://prometheus.github.io/client_python/multiprocess/), which wants a folder that is named before it is imported.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from router import app
from router.errors import PortInUse
from router.line import RelayProtocol

if TYPE_CHECKING:
    from router.config import RouterConfig

log = logging.getLogger("duet.router")
# Longer than any usual client keeps an idle connection, so that no request meets one that is just being closed
IDLE_S = 75
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}


def run(settings: RouterConfig) -> bool:
    """Serves until SIGTERM or SIGINT, then drains. False where it could not start.

    Raises:
        PortInUse: somebody listens on `router.port`.
    """
    config = _uvicorn(settings)  # configures logging as well
    _raise_file_limit()
    listener = _listen(settings)
    replicas = "; ".join(f"{pool}: {', '.join(section.replicas)}" for pool, section in settings.pools.items())
    log.info("http://%s:%d in front of %s", settings.router.host, settings.router.port, replicas)
    if settings.router.workers == 1:
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        return server.started
    with tempfile.TemporaryDirectory(prefix="duet-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        Multiprocess(config, sockets=[listener]).run()
    return True


def _raise_file_limit() -> None:
    """A stream takes two sockets; the usual soft limit of 1,024 files would end at 500 streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _listen(settings: RouterConfig) -> socket.socket:
    """Binds before anything else starts, so that a port in use is the first thing said and not the last."""
    host, port = settings.router.host, settings.router.port
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUse(f"router.port: {port}: cannot listen on {host}: {error.strerror}") from error
    listener.set_inheritable(True)
    return listener


def _uvicorn(settings: RouterConfig) -> uvicorn.Config:
    return uvicorn.Config(
        partial(app.build, settings),
        factory=True,
        workers=settings.router.workers,
        loop="uvloop",
        http=RelayProtocol if settings.router.relay == "transport" else "httptools",
        ws="none",
        log_config=LOGGING,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=settings.router.drain_s,
    )
