"""Puts what was proven into a page: plans against measurements, stock vLLM in the same memory, and what people report of such cards.

    python -m loadtests.memory.table --write docs/memory.md

Each table goes between its own two markers of the page.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RECORDS = Path("loadtests/results/memory/proof.json")
PAIR, STOCK, STOCK_FP8 = "24gb-4b-4b", "stock-24gb-32k", "stock-24gb-32k-fp8kv"
STOCKS = {
    "stock-24gb": "defaults",
    STOCK: "`--max-model-len 32768`",
    STOCK_FP8: "`--max-model-len 32768 --kv-cache-dtype fp8`",
    "stock-24gb-two": "two of them, `--max-model-len 32768`, the default share of 0.92 each",
    "stock-24gb-two-halves": "two of them, `--max-model-len 32768 --gpu-memory-utilization 0.46`",
}
NOT_RUN = "not run"
ENDS = "ends at its start"
ADVICE = r" (?:Try increasing|Decrease GPU|See https)"
# situation → what people say of it on a card of 24 GB
REPORTED = {
    "picture": ("one picture, 8K", "18.2 GB"),
    "turns": ("ten pictures over ten turns, 30K", "25.6 GB, died"),
    "turns_thinking": ("the same on Thinking", "19.8 GB"),
    "turns_fp8": ("ten turns, FP8 KV cache", "14.3 GB"),
    "document": ("a document of 100 pages", "17.1 GB"),
}
Cells = tuple[object, ...]


def proof(records: Sequence[dict[str, Any]]) -> str:
    """Every plan, and what came of it."""
    head = (
        "card",
        "engines",
        "planned tokens",
        "reported",
        "planned",
        "reserve",
        "peak",
        "with prompt log probabilities",
        "left",
        "KV filled",
        "longest",
        "answered",
    )
    return markdown([(*head, "failed", "out of memory"), *(_plan(each) for each in records if each["planned_mib"])])


def _plan(record: dict[str, Any]) -> Cells:
    engines = record["engines"]
    most = max(record["peak_mib"], record["peak_with_prompt_logprobs_mib"])
    return (
        f"{record['id'].partition('gb-')[0]} GB",
        " + ".join(_engine(engine) for engine in engines),
        _each(engine["planned_kv_tokens"] for engine in engines),
        _each(engine["reported_kv_tokens"] for engine in engines),
        *(f"{record[name]:,}" for name in ("planned_mib", "reserve_mib", "peak_mib", "peak_with_prompt_logprobs_mib")),
        f"{record['free_mib'] - most:,}",
        " + ".join(f"{engine['most_kv_usage']:.0%}" for engine in engines),
        _each(engine.get("longest_tokens") for engine in engines),
        *(sum(engine[name] for engine in engines) for name in ("answered", "failed", "out_of_memory_lines")),
    )


def _engine(engine: dict[str, Any]) -> str:
    kind = engine["model"].removeprefix("Qwen3-VL-")
    weights = "FP8 weights" if engine["quantization"] else "BF16 weights"
    return f"{kind}, {weights}, {'BF16' if engine['kv_cache_dtype'] == 'auto' else 'FP8'} KV"


def stock(records: Sequence[dict[str, Any]]) -> str:
    """What people type on a card of 24 GB, and what became of it."""
    rows = ((what, _outcome(each)) for name, what in STOCKS.items() for each in _any(records, name))
    return markdown([("`vllm serve` of 4B on 24 GB", "outcome"), *rows])


def _outcome(record: dict[str, Any]) -> str:
    engines = record["engines"]
    dead = next((engine for engine in engines if not engine["ready_s"]), None)
    started = [engine["reported_kv_tokens"] for engine in engines if engine["ready_s"]]
    if dead:
        which = f"the first starts; the second {ENDS}" if started else ENDS if len(engines) == 1 else f"the first {ENDS}"
        return f"{which}: {_said(dead)}"
    tokens, peak, free = sum(filter(None, started)), record["peak_mib"], record["free_mib"]
    return f"starts, {tokens:,} tokens; under the worst traffic {peak:,} of {free:,} MiB are gone"


def _said(engine: dict[str, Any]) -> str:
    """vLLM's own words, without its advice."""
    error: str = engine["last_error"]
    return re.split(ADVICE, error.partition("Error: ")[2])[0].strip()


def situations(records: Sequence[dict[str, Any]]) -> str:
    """What people report, on Duet's two engines and on one stock engine."""
    head = (
        "situation",
        "reported",
        "Duet, both engines: peak, MiB",
        "answers",
        "longest, tokens",
        "stock, one engine: peak, MiB",
        "answers",
    )
    pair, alone = _named(records, PAIR), _named(records, STOCK)
    rows: list[Cells] = [head]
    for name, (what, reported) in REPORTED.items():
        ours = pair["situations"][name]
        theirs = next(
            (each["situations"].get(name) for each in (alone, *_any(records, STOCK_FP8)) if name in each["situations"]), None
        )
        cells = (f"{theirs['peak_mib']:,}", _verdict(theirs)) if theirs else (NOT_RUN, NOT_RUN)
        rows.append((what, reported, f"{ours['peak_mib']:,}", _verdict(ours), f"{ours['longest_tokens']:,}", *cells))
    return markdown(rows)


def _verdict(told: dict[str, Any]) -> str:
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(told["statuses"].items()))
    if not told["pages_in_a_part"]:
        return statuses
    refusal = json.loads(told["refusal"])["error"]["message"]
    return f"{statuses}. Whole: “{refusal}”; in parts of {told['pages_in_a_part']} pages {told['parts']} answered"


def _each(counts: Iterable[int | None]) -> str:
    return " + ".join("not kept" if count is None else f"{count:,}" for count in counts)


def _any(records: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [record for record in records if record["id"] == name]


def _named(records: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return _any(records, name)[0]


def markdown(rows: Sequence[Cells]) -> str:
    """A table; the first row is its head."""
    lines = [rows[0], tuple("---" for _ in rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


TABLES = {"proof": proof, "stock": stock, "situations": situations}


def written(page: str, records: Sequence[dict[str, Any]]) -> str:
    """The page with each table between its markers."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table(records)}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="table", description="Puts what was proven into a page.")
    parser.add_argument("--records", type=Path, default=RECORDS, metavar="FILE")
    parser.add_argument("--write", type=Path, required=True, metavar="FILE")
    asked = parser.parse_args()
    page = asked.write.read_text()
    asked.write.write_text(written(page, json.loads(asked.records.read_text())))


if __name__ == "__main__":
    main()
