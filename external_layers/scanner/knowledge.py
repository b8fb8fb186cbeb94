"""The last good answers about every symbol, each with its age (pure)."""

from dataclasses import dataclass, field
from math import nan
from typing import Generic, TypeVar

from external_layers.binance.markets import Market
from external_layers.scanner.answers import BookTicker, DayTicker
from external_layers.scanner.scores import Readings, spread_pct
from scalp_strategy.setting_groups.scanner import ScanRequestSettings

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Held(Generic[Value]):
    """A value and when it came, epoch milliseconds."""

    value: Value
    at_ms: int


@dataclass(frozen=True, slots=True)
class CandleSummary:
    """What is kept of a symbol's closed 15m candles; `last_close_ms` is when the newest closed."""

    history: int
    atr_pct: float
    last_close_ms: int


@dataclass(slots=True)
class Knowledge:
    """Last good values by symbol; a value is unknown once it is older than its setting allows."""

    limits: ScanRequestSettings
    markets: Held[dict[str, Market]] | None = None
    day_tickers: dict[str, Held[DayTicker]] = field(default_factory=dict)
    book_tickers: dict[str, Held[BookTicker]] = field(default_factory=dict)
    candles: dict[str, Held[CandleSummary]] = field(default_factory=dict)
    depth: dict[str, Held[float]] = field(default_factory=dict)

    def list_markets(self, markets: dict[str, Market], now_ms: int) -> None:
        """Keep a new market list and forget the symbols that are gone."""
        self.markets = Held(markets, now_ms)
        for known in (self.day_tickers, self.book_tickers, self.candles, self.depth):
            for symbol in known.keys() - markets.keys():
                del known[symbol]

    @property
    def listed(self) -> dict[str, Market]:
        """Symbols of the last market list, however old; empty before the first."""
        return self.markets.value if self.markets else {}

    def has_listing(self, now_ms: int) -> bool:
        """Return whether the market list is young enough to be believed."""
        limit_s = self.limits.markets_max_age_s
        return self.markets is not None and _age_s(self.markets.at_ms, now_ms) <= limit_s

    def readings(self, symbol: str, now_ms: int) -> Readings:
        """Return what is known of a symbol."""
        ages = self.ages_s(symbol, now_ms)
        day = self.day_tickers[symbol].value if "day_ticker" in ages else None
        best = self.book_tickers[symbol].value if "book_ticker" in ages else None
        candles = self.candles[symbol].value if "candles" in ages else None
        return Readings(
            volume_24h=day.quote_volume if day else nan,
            spread_pct=spread_pct(best) if best else nan,
            change_24h_pct=day.change_pct if day else nan,
            price=day.price if day else nan,
            history_candles=candles.history if candles else None,
            atr_pct=candles.atr_pct if candles else nan,
            depth_usdt=self.depth[symbol].value if "depth" in ages else nan,
        )

    def ages_s(self, symbol: str, now_ms: int) -> dict[str, float]:
        """Return the age in seconds of each answer that still counts, by name."""
        limits = self.limits
        day, best = self.day_tickers.get(symbol), self.book_tickers.get(symbol)
        candles, depth = self.candles.get(symbol), self.depth.get(symbol)
        came = (
            ("day_ticker", day.at_ms if day else None, limits.tickers_max_age_s),
            ("book_ticker", best.at_ms if best else None, limits.tickers_max_age_s),
            ("candles", candles.value.last_close_ms if candles else None, limits.candles_max_age_s),
            ("depth", depth.at_ms if depth else None, limits.depth_max_age_s),
        )
        return {
            name: _age_s(at_ms, now_ms)
            for name, at_ms, limit_s in came
            if at_ms is not None and _age_s(at_ms, now_ms) <= limit_s
        }

    def observed_at_ms(self, symbol: str, now_ms: int) -> int:
        """Return when the older of a symbol's known tickers came, `now_ms` when none is known."""
        known = (self.day_tickers.get(symbol), self.book_tickers.get(symbol))
        return min((each.at_ms for each in known if each is not None), default=now_ms)


def _age_s(at_ms: int, now_ms: int) -> float:
    return max(now_ms - at_ms, 0) / 1_000.0
