"""Users who send pictures and read the streamed answers. Run it through `loadtests/locust.conf`.

Every request is a row of its own kind (`chat instruct`, `chat thinking`, `chat auto`: what was asked), timed from the send to
the end of the stream. The token times are rows of type METRIC under the pool that answered, and stay out of the Aggregated row.
"""
# locust patches the standard library when it is imported, so it is not read by the type checker and its classes are Any
# mypy: disable-error-code="misc, untyped-decorator"

import sys
import time
from http import HTTPStatus
from itertools import count
from typing import Any

import gevent
from locust import HttpUser, between, events, task
from requests import RequestException

from loadtests.sse import StreamMarks
from loadtests.target import refusal
from loadtests.workload import Ask, Mix, asks

CONNECT_S, READ_S = 5, 120
LAG_PERIOD_S = 0.1
HEADERS = {"content-type": "application/json", "accept": "text/event-stream"}


class Reader(HttpUser):
    """Asks about one picture after the other (a closed loop: the next question waits for the answer)."""

    wait_time = between(0.1, 0.5)
    numbers = count()

    def on_start(self) -> None:
        """Give each user of each worker process questions of its own."""
        number = self.environment.runner.worker_index * 1_000_000 + next(self.numbers)
        self.asks = asks(mix_from(self.environment.parsed_options), number)

    @task
    def read_a_picture(self) -> None:
        """Draw and encode the picture, start the clock, send, read to the end."""
        # in a thread: drawing takes milliseconds in which the other users' tokens would arrive unseen
        ask = gevent.get_hub().threadpool.apply(next, (self.asks,))
        sent = time.perf_counter()
        with self._post(ask) as response:
            marks, failure = read(response)
            response.request_meta["response_time"] = (time.perf_counter() - sent) * 1000
            if failure is not None:
                response.failure(failure)
            self._report((response.headers or {}).get("x-duet-pool", ask.asked), marks, sent)

    def _post(self, ask: Ask) -> Any:
        return self.client.post(
            "/v1/chat/completions",
            name=f"chat {ask.asked}",
            data=ask.body,
            headers=HEADERS,
            stream=True,
            catch_response=True,
            timeout=(CONNECT_S, READ_S),
        )

    def _report(self, pool: str, marks: StreamMarks, sent: float) -> None:
        firsts = {"token": marks.first_token, "reasoning token": marks.first_reasoning, "answer token": marks.first_answer}
        for name, moment in firsts.items():
            if moment is not None:
                metric(self.environment, f"{pool}: time to first {name}", moment - sent)
        for gap in marks.gaps:
            metric(self.environment, f"{pool}: inter-token time", gap)


def read(response: Any) -> tuple[StreamMarks, str | None]:
    """Read the stream to its end; return its marks and why it failed, if it did."""
    marks = StreamMarks()
    if response.status_code == 0:  # locust's stand-in for a connection that failed
        return marks, f"no response: {type(response.error).__name__}"
    if response.status_code != HTTPStatus.OK:
        return marks, f"HTTP {response.status_code}: {response.text[:200]}"
    try:
        # None hands on what arrived as it arrives; a number would wait until that many bytes are there
        for chunk in response.iter_content(chunk_size=None):
            marks.feed(chunk, time.perf_counter())
    except RequestException as error:
        return marks, f"the connection broke in mid-stream: {type(error).__name__}"
    return marks, marks.failure


def metric(environment: Any, name: str, seconds: float) -> None:
    """Add a sample to a METRIC row. Rows are kept in milliseconds, like all of locust's."""
    environment.stats.get(name, "METRIC").log(seconds * 1000, 0)


def mix_from(options: Any) -> Mix:
    """Build the mix that the options describe; a share outside 0..1 is a ValueError that names it."""
    return Mix(**{name: getattr(options, name) for name in Mix.__dataclass_fields__})


def watch_lag(environment: Any) -> None:
    """Report how late this process itself is: a run whose lag nears the times it reports is void."""
    while True:
        before = time.perf_counter()
        gevent.sleep(LAG_PERIOD_S)
        metric(environment, "load test: loop lag", time.perf_counter() - before - LAG_PERIOD_S)


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the mix, one option a field, and the permission to load another machine."""
    mix = Mix()
    for name in Mix.__dataclass_fields__:
        default = getattr(mix, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=f"default {default}")
    parser.add_argument("--allow-remote-host", action="store_true", help="load a host that is not this machine")


@events.init.add_listener
@events.test_start.add_listener
def refuse(environment: Any, **_: Any) -> None:
    """Stop before the first request, and again when a run is started from the web page with another host."""
    problem = refusal(environment.host, remote_allowed=environment.parsed_options.allow_remote_host)
    try:
        mix_from(environment.parsed_options)
    except ValueError as error:
        problem = str(error)
    if problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(2)


@events.test_start.add_listener
def start_lag_watch(environment: Any, **_: Any) -> None:
    """One watch for each process that sends."""
    gevent.spawn(watch_lag, environment)
