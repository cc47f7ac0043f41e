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
import pytest

from tests.processes import answers, wait_for
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
    assert f"http://127.0.0.1:{duet.ports['router']}/v1  models: auto, qwen3-vl-instruct, qwen3-vl-thinking\n" in out


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
    killed_at = time.monotonic()
    os.kill(server, signal.SIGKILL)
    wait_for("the old engine to be gone", lambda: not alive([server, helper]))
    wait_for("a new one", lambda: (duet.folder / "out").read_text().count("instruct: ready") == 2)
    took = time.monotonic() - killed_at
    assert server not in duet.pids("instruct")
    assert duet.pids("thinking") == other
    code, out, _ = duet.end()
    assert code == 0
    assert "instruct was killed by SIGKILL; it starts again in 1 s" in out
    assert float(re.findall(r"instruct: ready \((.*) s\)", out)[1]) < took - 0.5, "it counts from its own start"


def test_a_restart_that_hangs_is_tried_again_and_the_other_pool_serves_on(duet: Duet) -> None:
    model = duet.model("again")
    duet.config["pools"]["instruct"]["model"] = model
    duet.config["serve"]["start_timeout_s"] = 4
    duet.start("serve")
    duet.wait_ready()
    other = duet.pids("thinking")
    trouble = Path(model, "trouble")
    trouble.touch()
    os.kill(duet.pids("instruct")[0], signal.SIGKILL)
    overdue = "instruct was not ready after 4 s (serve.start_timeout_s); it starts again in 2 s\nIts last words:\n"
    wait_for("the restart to be given up", lambda: overdue in (duet.folder / "out").read_text())
    trouble.unlink()
    wait_for("the next one", lambda: is_up(duet.ports["instruct"]))
    assert duet.pids("thinking") == other
    assert duet.end()[0] == 0


def test_a_terminal_that_is_gone_stops_in_order(duet: Duet) -> None:
    duet.environment["PRETEND_ROUTER_PORT"] = str(duet.ports["router"])
    terminal, duet.stdout = os.openpty()
    duet.start("up")
    wait_for("the stack", lambda: answers(f"http://127.0.0.1:{duet.ports['router']}/ready"))
    os.close(duet.stdout)
    os.close(terminal)
    code, _, err = duet.end(signal.SIGHUP)
    assert (code, err) == (0, "")
    for pool in ("instruct", "thinking"):
        log = duet.folder / "cache" / "logs" / f"{pool}-{duet.ports[pool]}.log"
        assert log.read_text().endswith("the router is gone\n")


def test_a_reader_that_has_seen_enough_ends_nothing(duet: Duet) -> None:
    reader, duet.stdout = os.pipe()
    duet.start("serve", "--pool", "instruct")
    os.close(duet.stdout)
    os.read(reader, 1)
    os.close(reader)
    wait_for("the engine", lambda: is_up(duet.ports["instruct"]))
    code, _, err = duet.end()
    assert (code, err) == (0, "")


def test_a_pool_whose_replicas_elsewhere_are_not_there_is_named(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["replicas"] = [f"http://127.0.0.2:{duet.ports['instruct']}"]
    duet.start("up")
    said = "the router reaches no ready replica of pools.instruct.replicas. Waiting for one."
    wait_for("a word about it", lambda: said in (duet.folder / "out").read_text())
    code, out, err = duet.end()
    assert (code, err) == (0, "")
    assert "Ready." not in out


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
    said = "Stopping: waiting up to 65 s for requests in flight (Ctrl-C again to stop at once)"
    wait_for("the stop", lambda: said in (duet.folder / "out").read_text())
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


@pytest.mark.parametrize(("again", "code", "said"), [(False, 0, ""), (True, 130, "duet: stopped at once\n")])
def test_nobodys_requests_are_waited_for_while_nothing_is_ready(duet: Duet, *, again: bool, code: int, said: str) -> None:
    duet.config["pools"]["instruct"]["model"] = duet.model("deaf-hangs")
    duet.config["serve"]["drain_s"] = 60
    child = duet.start("serve", "--pool", "instruct")
    log = duet.folder / "cache" / "logs" / f"instruct-{duet.ports['instruct']}.log"
    wait_for("the start", lambda: log.is_file() and "non-default args" in log.read_text())
    stopped_at = time.monotonic()
    if again:
        child.send_signal(signal.SIGINT)
        wait_for("the stop", lambda: "Stopping (Ctrl-C again to stop at once)" in (duet.folder / "out").read_text())
    ended, _, err = duet.end(signal.SIGINT)
    assert (ended, err) == (code, said)
    assert time.monotonic() - stopped_at < 10
    assert not _mentioning(str(duet.folder))


def test_the_router_looks_at_its_configuration_before_anything_starts(duet: Duet) -> None:
    duet.config["router"]["workers"] = "many"
    code, out, err = duet.run("up")
    assert (code, out) == (3, "")
    assert err.startswith(f"duet: {duet.folder / 'duet.yaml'}: router.workers: 'many': ")
    assert not _mentioning(str(duet.folder))


def _mentioning(text: str) -> list[list[str]]:
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if any(text in argument for argument in command)]
