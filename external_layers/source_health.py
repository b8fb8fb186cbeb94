"""How the outside sources are, and what the score loses without each (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from external_layers.runner import SourceState
from external_layers.sources.spec import SourceSpec
from scalp_strategy.setting_groups.layer_rules import rules_of
from scalp_strategy.settings import Settings

_MS_PER_S: Final = 1_000
_S_PER_DAY: Final = 86_400.0


def source_report(
    states: Mapping[str, SourceState], settings: Settings, now_ms: int
) -> dict[str, dict[str, Any]]:
    """Return the state of every source as JSON values, by name; it holds no key and no query."""
    return {
        name: {
            "provider": state.spec.provider.name,
            "layer": state.spec.layer,
            "feeds": list(state.spec.feeds),
            "is_on": state.is_on,
            "why_off": state.why_off,
            "problem": state.problem,
            "failures": state.failures,
            "age_s": age_s(state, now_ms),
            "last_success_ms": state.last_success_ms,
            "next_due_ms": state.next_due_ms,
            "facts": state.facts,
            "malformed": state.payload_errors,
            "sample": state.sample,
            "circuit_open_until_ms": state.circuit_open_until_ms,
            "budget": [
                {"used": each.used, "limit": each.limit, "span_s": each.span_s}
                for each in state.budget
            ],
            "calls_a_day": calls_a_day(state.spec, settings),
            "lost_without": lost_without(state.spec, states, settings),
            "history": state.spec.history,
            "honesty": state.spec.honesty,
        }
        for name, state in states.items()
    }


def source_problems(states: Mapping[str, SourceState]) -> Iterator[str]:
    """Yield what is wrong, in words; a source that is off by choice or for want of a key is not."""
    for name, state in states.items():
        if state.problem is not None:
            yield f"source {name}: {state.problem}"


def age_s(state: SourceState, now_ms: int) -> float | None:
    """Return the seconds since a source last answered, None before it ever did."""
    if not state.last_success_ms:
        return None
    return max(0, now_ms - state.last_success_ms) / _MS_PER_S


def calls_a_day(spec: SourceSpec, settings: Settings) -> int:
    """Return how many calls a source makes in a day when all goes well, about."""
    every_s = settings.sources.every_s.get(spec.name, spec.every_s)
    return 0 if spec.is_stream else round(spec.calls * _S_PER_DAY / every_s)


def lost_without(spec: SourceSpec, states: Mapping[str, SourceState], settings: Settings) -> float:
    """Return the share of the whole score's evidence that only this source can give, 0..1.

    The weight of the components that no other working source feeds, within the layer's weight.
    """
    others = {
        feed
        for name, state in states.items()
        if name != spec.name and state.is_on and state.problem is None
        for feed in state.spec.feeds
        if state.spec.layer == spec.layer
    }
    rules = next(rules for rules in rules_of(settings) if rules.layer == spec.layer)
    alone = sum(
        rule.weight
        for rule in rules.components
        if rule.name in spec.feeds and rule.name not in others
    )
    layer: float = getattr(settings.confluence.weights, spec.layer)
    return layer * alone
