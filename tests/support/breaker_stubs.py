"""What a breaker reads, as a test sets it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import nan

from scalp_strategy.account import Account, MemoryStore, Position
from scalp_strategy.breakers import BreakerState, Volatility
from scalp_strategy.contract import TIER_MEDIUM, Side
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.signals import Candidate

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
CANDIDATE = Candidate(
    "SOL/USDT:USDT", "long", NOW, 100.0, 1.0, 84, TIER_MEDIUM, 0.8, "breakout", macro="CALM"
)

CALM = Volatility(1.0, 1.0, 1.0)


@dataclass
class ToldTrades:
    """Ended trades that a test tells."""

    stops: dict[str, datetime] = field(default_factory=dict)
    streak: int = 0

    def last_full_stop(self, pair: str, since: datetime) -> datetime | None:
        stopped = self.stops.get(pair)
        return stopped if stopped is not None and stopped >= since else None

    def win_streak(self) -> int:
        return self.streak


@dataclass
class ToldChart:
    """A calm chart, unless a test tells otherwise."""

    seen: Volatility = CALM
    correlations: dict[str, float] = field(default_factory=dict)
    others: float = 0.0

    def volatility(self) -> Volatility:
        return self.seen

    def correlation(self, other: str) -> float:
        return self.correlations.get(other, self.others)


class Broken:
    """Trades and candles that cannot be read."""

    def __getattr__(self, name: str):
        raise OSError("the disk is gone")


UNKNOWN = ToldChart(Volatility(), others=nan)


def held(pair: str, side: Side = "long", **changes) -> Position:
    """Return a position that has neither profit nor risk."""
    values = {"amount": 1.0, "entry_price": 100.0, "stop_price": 100.0, "mark_price": 100.0}
    return Position(pair, side, **values | changes)


def state(
    equities=(10_000.0,),
    positions: int | list[Position] = 0,
    btc_move_pct: float = 0.0,
    sent: tuple[datetime, ...] = (),
    history=None,
    chart=None,
    **settings,
) -> BreakerState:
    """Return a state: the account marked with each equity, signals sent, trades and candles."""
    rules = BreakerSettings(**settings)
    account = Account(rules, MemoryStore(), resumes_next_day=True)
    if isinstance(positions, int):
        positions = [held(f"P{number}/USDT:USDT") for number in range(positions)]
    for equity in equities:
        account.mark(NOW, equity, equity, positions)
    for close in sent:
        account.note_signal(close)
    return BreakerState(
        rules, account, (btc_move_pct,), history or ToldTrades(), chart or ToldChart()
    )
