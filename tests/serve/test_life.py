"""`duet serve` and `duet up` from start to stop, with true processes and signals; the engines pretend."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from tests.processes import wait_for
from tests.serve.conftest import alive, is_up

if TYPE_CHECKING:
    from tests.serve.conftest import Duet


def test_it_starts_says_how_far_it_is_and_leaves_nothing_behind(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("orphans")
    duet.start("serve")
    duet.wait_ready()
    pids = [*duet.pids("instruct"), *duet.pids("thinking")]
    code, out, err = duet.end(signal.SIGINT)
    assert (code, err) == (0, "")
    said = [line.split(" (")[0] for line in out.splitlines() if line.startswith("instruct: ")]
    assert said[0] == "instruct: importing"
    assert said[-1] == "instruct: ready"
    assert f"curl http://127.0.0.1:{duet.ports['instruct']}/v1/chat/completions" in out
    assert alive(pids) == []
    assert not is_up(duet.ports["instruct"])


def test_up_stops_the_router_before_the_engines(duet: Duet) -> None:
    duet.environment["PRETEND_ROUTER_PORT"] = str(duet.ports["router"])
    duet.start("up")
    duet.wait_ready()
    code, out, err = duet.end()
    assert (code, err) == (0, "")
    for pool in ("instruct", "thinking"):
        log = duet.folder / "cache" / "logs" / f"{pool}-{duet.ports[pool]}.log"
        assert log.read_text().endswith("the router is gone\n")
    assert f"http://127.0.0.1:{duet.ports['router']}/v1" in out


def test_ready_is_said_once_the_router_has_seen_every_engine(duet: Duet) -> None:
    duet.config["router"]["poll_interval_s"] = 2
    duet.start("up")
    duet.wait_ready()
    assert httpx.get(f"http://127.0.0.1:{duet.ports['router']}/ready").status_code == 200


def test_one_pool_alone(duet: Duet) -> None:
    duet.start("serve", "--pool", "thinking")
    duet.wait_ready()
    assert not is_up(duet.ports["instruct"])
    assert duet.end()[0] == 0


def test_an_engine_that_dies_later_comes_back(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("orphans")
    duet.start("serve")
    duet.wait_ready()
    server, helper = duet.pids("instruct")
    other = duet.pids("thinking")
    os.kill(server, signal.SIGKILL)
    wait_for("the old engine to be gone", lambda: not alive([server, helper]))
    wait_for("a new one", lambda: is_up(duet.ports["instruct"]))
    assert server not in duet.pids("instruct")
    assert duet.pids("thinking") == other
    code, out, _ = duet.end()
    assert code == 0
    assert "instruct was killed by SIGKILL; it starts again in 1 s" in out


def test_an_engine_that_dies_at_start_ends_the_run_with_its_own_last_words(duet: Duet) -> None:
    duet.config["pools"]["thinking"]["model"] = duet.model("dies")
    code, _, err = duet.run("up")
    assert code == 9
    assert err.startswith(
        "duet: thinking ended with exit code 1; it was never ready. Its last words:\n  ValueError: To serve at least"
    )
    assert "Engine core initialization failed" not in err
    log = Path(re.findall(r"The whole log: (.*)", err)[0])
    assert log.is_file()
    assert not any(is_up(port) for port in duet.ports.values())
    assert not _mentioning(str(duet.folder))


def test_an_engine_that_is_never_ready_is_given_up(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("hangs")
    duet.config["serve"]["start_timeout_s"] = 1
    code, _, err = duet.run("serve", "--pool", "instruct")
    assert code == 10
    assert err.startswith("duet: instruct was not ready after 1 s (serve.start_timeout_s); it was importing.")
    assert not _mentioning(str(duet.folder))


def test_what_does_not_listen_is_killed_when_its_time_is_up(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("deaf")
    duet.config["serve"]["shutdown_timeout_s"] = 1
    duet.start("serve")
    duet.wait_ready()
    pids = duet.pids("instruct")
    assert duet.end()[0] == 0
    assert alive(pids) == []


def test_a_second_ctrl_c_kills_at_once(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("deaf")
    duet.config["serve"]["drain_s"] = 60
    child = duet.start("serve", "--pool", "instruct")
    duet.wait_ready()
    pids = duet.pids("instruct")
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)
    code, _, err = duet.end(signal.SIGINT)
    assert code == 130
    assert "stopped at once" in err
    assert alive(pids) == []


def test_engines_do_not_outlive_a_duet_that_was_killed(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("deaf-orphans")
    child = duet.start("serve", "--pool", "instruct")
    duet.wait_ready()
    pids = duet.pids("instruct")
    child.kill()
    child.wait()
    wait_for("the engine to go too", lambda: not alive(pids), seconds=10)


def test_a_stop_during_the_start_is_a_stop(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("hangs")
    duet.start("up")
    wait_for("the other engine", lambda: is_up(duet.ports["thinking"]))
    assert duet.end()[0] == 0
    assert not _mentioning(str(duet.folder))


def test_a_router_that_refuses_its_configuration_speaks_for_itself(duet: Duet) -> None:
    duet.config["router"]["workers"] = "many"
    code, _, err = duet.run("up")
    assert code == 11
    assert "duet: router ended with exit code 3; it was never ready." in err
    assert "router.workers" in err
    assert "'many'" in err
    assert not _mentioning(str(duet.folder))


def _mentioning(text: str) -> list[list[str]]:
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if any(text in argument for argument in command)]
