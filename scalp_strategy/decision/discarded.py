"""Why a candle with a direction reaches no tier, in words."""

from scalp_strategy.settings import Settings
from scalp_strategy.signals import Candidate


def discard_reason(candidate: Candidate, settings: Settings) -> str:
    """Return what a candle lacks: points, or evidence."""
    rules, shift = settings.confluence, candidate.threshold_shift
    threshold = rules.medium_threshold + shift
    if candidate.score < threshold:
        hour = candidate.close_time.hour
        raised = (
            f" ({rules.medium_threshold:g} and {shift:g} more in hour {hour:02d} UTC)"
            if shift
            else ""
        )
        return f"score {candidate.score} is below the {threshold:g} required{raised}"
    return f"coverage {candidate.coverage:.2f} is below the {rules.min_coverage:g} required"
