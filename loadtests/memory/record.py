"""What is kept of a proof: one small JSON file with what was planned, what was measured and what was answered.

python -m loadtests.memory.record --plans plans.json --results FOLDER --out loadtests/results/memory/proof.json

Cases in the file that have no new result stay as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

MIB = 1 << 20
BEFORE_TRAFFIC = ("loading", "profiling", "capturing", "idle")
PROMPT_LOGPROBS = "prompt_logprobs"
OF_MEMORY = ("KV cache", "Free memory", "out of memory", "cache blocks")  # words of the errors that speak of it
OF_ENGINE = ("max_model_len", "max_num_seqs", "max_num_batched_tokens", "quantization", "kv_cache_dtype")


def record(result: dict[str, Any], plan: dict[str, Any] | None) -> dict[str, Any]:
    """One case. Memory is what the driver counted on the card, less what was gone before the first engine, in MiB."""
    planned = plan["engines"] if plan else []
    base = result["before"][0]
    peaks = {name: (part["peak"][0] - base) // MIB for name, part in result["device"].items()}
    traffic = {name: peak for name, peak in peaks.items() if name.split(".")[-1] not in BEFORE_TRAFFIC}
    return {
        "id": result["id"],
        "free_mib": result["free_bytes"] // MIB,
        "planned_mib": sum(engine["budget"]["total"] for engine in planned) // MIB or None,
        "reserve_mib": plan["gpus"][0]["reserve"] // MIB if plan else None,
        "steps": [step["what"] for step in plan["steps"]] if plan else [],
        "start_peak_mib": max(peak for name, peak in peaks.items() if name not in traffic),
        "peak_mib": max((peak for name, peak in traffic.items() if name not in {PROMPT_LOGPROBS, "end"}), default=None),
        "peak_with_prompt_logprobs_mib": traffic.get(PROMPT_LOGPROBS),
        "situations": _situations(result, peaks),
        "engines": [_engine(engine, _of(planned, number)) for number, engine in enumerate(result["engines"])],
    }


def _engine(measured: dict[str, Any], planned: dict[str, Any] | None) -> dict[str, Any]:
    settings = planned["settings"] if planned else {}
    phases = measured["traffic"].values()
    statuses = [(status, count) for phase in phases for status, count in phase["statuses"].items()]
    reported = int(measured["cache_config"].get("kv_cache_size_tokens", 0)) or None
    return {
        "model": (planned or measured)["model"].rpartition("/")[2],
        **{name: settings[name] for name in OF_ENGINE if name in settings},
        "planned_kv_tokens": planned["budget"]["kv_tokens"] if planned else None,
        "reported_kv_tokens": reported,
        "weights_gib": measured["figures"].get("loading_gib"),
        "ready_s": round(measured["ready_s"]) if measured["ready_s"] else None,
        "answered": sum(count for status, count in statuses if status == "200"),
        "failed": sum(count for status, count in statuses if status != "200"),
        "cut": sum(phase["cut"] for phase in phases),
        "out_of_memory_lines": measured["out_of_memory_lines"],
        "most_running": measured["most"].get("running"),
        "most_kv_usage": measured["most"].get("kv_usage"),
        "longest_tokens": max((phase.get("longest_tokens", 0) for phase in phases), default=0) or None,
        "last_error": next((error for error in reversed(measured["errors"]) if any(word in error for word in OF_MEMORY)), ""),
    }


def _situations(result: dict[str, Any], peaks: dict[str, int]) -> dict[str, Any]:
    told = result.get("situations", {})
    return {name: {"peak_mib": peaks.get(name), **said} for name, said in told.items()}


def _of(planned: list[dict[str, Any]], number: int) -> dict[str, Any] | None:
    return planned[number] if number < len(planned) else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="record", description="Writes down what is kept of a proof.")
    parser.add_argument("--plans", type=Path, required=True, metavar="FILE")
    parser.add_argument("--results", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    asked = parser.parse_args()
    plans = json.loads(asked.plans.read_text())
    results = [json.loads(file.read_text()) for file in sorted(asked.results.glob("*.json"))]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    kept = {each["id"]: each for each in (json.loads(asked.out.read_text()) if asked.out.exists() else [])}
    known = kept | {result["id"]: record(result, plans.get(result["id"])) for result in results}
    asked.out.write_text(json.dumps([known[name] for name in sorted(known)], indent=1) + "\n")


if __name__ == "__main__":
    main()
