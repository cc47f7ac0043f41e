"""View → Decision: a pure function of what is asked. English and Chinese.

What the client says outright goes first, then rules that are near-certain, then the learned scorer. A follow-up stays with its
conversation's pool unless what it asks clearly belongs to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.ask import find_ask
from router.rules import SMALL_TALK, rule_for
from router.scorer import weigh
from router.values import Decision, Policy

if TYPE_CHECKING:
    from router.values import PoolName, View

RULED, NOT_RULED = 0.99, 0.01
"""How sure a rule is, as a probability: rules are kept while they are right on 98 of 100 prompts or more."""
CLEAR = 0.7
"""A score further from the threshold than this share of the room on its side takes a conversation to the other pool."""
FOLLOW_UP_BYTES = 20
"""Shorter asks lean on what was said before ("And the next?"), whatever they score by themselves."""
DEFAULT = Policy()


def classify(view: View, policy: Policy = DEFAULT) -> Decision:
    """The pool for a request that names none."""
    if view.effort is not None:
        return _by_effort(view.effort)
    if view.structured:
        return Decision("instruct", "structured_output", 0.1, "client")
    now = judge(view.text, policy)
    before = _pool_so_far(view, policy)
    if before is None or (before == now.pool and not now.in_doubt) or _is_clear(view.text, now, policy):
        return now
    return Decision(before, "conversation", now.score, "conversation")


def judge(text: str, policy: Policy = DEFAULT) -> Decision:
    """The pool for an ask that stands alone."""
    ask = find_ask(text)
    if rule := rule_for(ask):
        return Decision(rule.side, rule.reason, RULED if rule.side == "thinking" else NOT_RULED, "rules")
    weighed = weigh(ask)
    pool, in_doubt = _pool(weighed.probability, policy)
    return Decision(pool, weighed.reason(pool), round(weighed.probability, 4), "scorer", in_doubt)


def _pool(score: float, policy: Policy) -> tuple[PoolName, bool]:
    """Where a score leads, and whether it is in doubt."""
    if abs(score - policy.threshold) < policy.doubt_band:
        return ("instruct" if policy.doubt == "instruct" else "thinking"), True
    return ("thinking" if score >= policy.threshold else "instruct"), False


def _by_effort(effort: str) -> Decision:
    thinks = effort not in {"none", "minimal"}
    return Decision("thinking" if thinks else "instruct", "reasoning_effort", float(thinks), "client")


def _pool_so_far(view: View, policy: Policy) -> PoolName | None:
    """The pool that the conversation was in: it shows in reasoning that came back with the last answer, else in the asks before.

    The last clear one of those tells, else the first. A greeting tells nothing.
    """
    if view.thought:
        return "thinking"
    first: PoolName | None = None
    for text in reversed(view.earlier):
        decision = judge(text, policy)
        if decision.reason == SMALL_TALK:
            continue
        if _is_clear(text, decision, policy):
            return decision.pool
        first = decision.pool
    return first


def _is_clear(text: str, decision: Decision, policy: Policy) -> bool:
    if decision.stage == "rules":
        return decision.reason != SMALL_TALK
    room = 1 - policy.threshold if decision.score >= policy.threshold else policy.threshold
    return len(text.encode()) >= FOLLOW_UP_BYTES and abs(decision.score - policy.threshold) > CLEAR * room
