"""decide(close): all pairs of one candle, judged once, ranked, planned, vetted, logged, latched."""

from scalp_strategy.decision.charts import btc_beside
from scalp_strategy.decision.desk import NEVER_ASKED, SIGNALS_ONLY, DecisionDesk
from scalp_strategy.decision.followed import FollowedSignal
from scalp_strategy.decision.host import Holdings, Host
from scalp_strategy.decision.hours import HourCloses

__all__ = [
    "NEVER_ASKED",
    "SIGNALS_ONLY",
    "DecisionDesk",
    "FollowedSignal",
    "Holdings",
    "Host",
    "HourCloses",
    "btc_beside",
]
