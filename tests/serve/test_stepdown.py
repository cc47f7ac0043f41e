"""An engine that ends for lack of memory at its start is tried again with less; what was asked for is not stepped over."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from serve.checkpoint.embedded import ensure
from tests.processes import wait_for
from tests.serve.conftest import is_up

if TYPE_CHECKING:
    from tests.serve.conftest import Duet


def short_of_memory(duet: Duet, most_mib: int) -> str:
    """A model folder that can be planned for, and that needs a KV cache of no more than so much to start."""
    folder = duet.model(f"needs-cache-of-{most_mib}")
    for name in ("config.json", "preprocessor_config.json", "video_preprocessor_config.json"):
        shutil.copy(ensure("instruct") / name, folder)
    return folder


def test_the_kv_cache_shrinks_by_what_was_missing_until_the_engine_starts(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = short_of_memory(duet, 500)
    duet.start("serve")
    duet.wait_ready()
    code, out, err = duet.end()
    assert (code, err) == (0, "")
    said = out[out.index("instruct ended") :].splitlines()
    assert said[0] == "instruct ended for lack of memory: CUDA out of memory. Tried to allocate 594.00 MiB."
    assert re.fullmatch(r"  It starts again with a KV cache of 262,\d+ tokens in place of 699,008 \(1 of 3\)", said[1])
    assert "thinking ended" not in out


def test_memory_that_is_gone_at_a_restart_is_done_without_too(duet: Duet) -> None:
    folder = duet.config["pools"]["instruct"]["model"] = short_of_memory(duet, 4000)
    duet.start("serve")
    duet.wait_ready()
    Path(folder, "room").write_text("500")
    os.kill(duet.pids("instruct")[0], signal.SIGKILL)
    wait_for("the smaller engine", lambda: "(1 of 3)" in (duet.folder / "out").read_text() and is_up(duet.ports["instruct"]))
    code, out, err = duet.end()
    assert (code, err) == (0, "")
    assert "instruct was killed by SIGKILL; it starts again in 1 s" in out
    assert re.search(r"It starts again with a KV cache of 262,\d+ tokens in place of 699,008 \(1 of 3\)", out)


def test_it_gives_up_after_so_many_times_as_the_configuration_says(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = short_of_memory(duet, 100)
    duet.config["serve"]["memory_retries"] = 1
    code, out, err = duet.run("serve")
    assert code == 9
    assert "(1 of 1)" in out
    assert "torch.OutOfMemoryError: CUDA out of memory" in err
    assert "Leave pools.instruct.engine.kv_cache_memory, max_model_len" in err
    assert not any(is_up(port) for port in duet.ports.values())


def test_wishes_are_not_stepped_over(duet: Duet) -> None:
    duet.config["pools"]["instruct"]["model"] = short_of_memory(duet, 100)
    duet.config["pools"]["instruct"]["engine"] = {"kv_cache_memory": "1GiB", "max_model_len": 8192}
    code, out, err = duet.run("serve", "--pool", "instruct")
    assert code == 9
    assert "It starts again" not in out
    assert "Leave pools.instruct.engine.kv_cache_memory, max_model_len" in err


def test_real_vllm_that_refuses_its_context_comes_up_with_the_one_it_can_hold(duet: Duet, cache_dir: Path) -> None:
    """A flag of the user's leaves room for 19 blocks of 128 tokens, which no plan can know of."""
    del duet.config["serve"]["launcher"], duet.config["serve"]["start_timeout_s"]
    duet.config["serve"]["cache_dir"] = str(cache_dir)
    duet.config["pools"]["instruct"] |= {"model": "embedded", "engine": {"args": ["--num-gpu-blocks-override", "20"]}}
    duet.start("serve", "--pool", "instruct")
    port = duet.ports["instruct"]
    wait_for("the engine", lambda: duet.child is None or duet.child.poll() is not None or is_up(port), 200)
    models = httpx.get(f"http://127.0.0.1:{port}/v1/models").json()
    assert models["data"][0]["max_model_len"] == 2_432
    code, out, _ = duet.end()
    assert code == 0
    assert "It starts again with a context of 2,432 tokens in place of 8,192 (1 of 3)" in out
