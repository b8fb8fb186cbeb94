"""Which pairs qualify, and the words why the others do not (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isnan, nan
from typing import NamedTuple

from external_layers.scanner.scores import Readings, liquidity_score, opportunity_score
from scalp_strategy.setting_groups.scanner import ScannerSettings


@dataclass(frozen=True, slots=True)
class PairMetrics:
    """A pair as the scanner sees it; NaN and None are unknown.

    Attributes
    ----------
    pair, symbol
        Freqtrade's and the exchange's name.
    opportunity_score, liquidity_score
        0..100.
    volume_24h, spread_pct, change_24h_pct, atr_pct, price, history_candles
        See `Readings`; `atr_pct` is the specification's ``atr_15m``.
    qualified
        Whether every filter and the opportunity score let it through.
    reasons
        Why it does not qualify, what failed before what is unknown; empty when it does.
    observed_at_ms
        When the older of its two tickers came; the time of the scan when neither is known.
    ages_s
        Seconds since each answer that is still used, by name: day_ticker, book_ticker, candles
        (since their last close), depth.
    """

    pair: str
    symbol: str
    opportunity_score: float
    liquidity_score: float
    volume_24h: float
    spread_pct: float
    change_24h_pct: float
    atr_pct: float
    price: float
    history_candles: int | None
    qualified: bool
    reasons: tuple[str, ...]
    observed_at_ms: int
    ages_s: dict[str, float] = field(default_factory=dict)


def passes_ticker_filters(readings: Readings, settings: ScannerSettings) -> bool:
    """Return whether volume, spread and change let a pair through; unknown does not."""
    return not any(check.is_refused for check in _ticker_checks(readings, settings))


def deserves_book(readings: Readings, settings: ScannerSettings) -> bool:
    """Return whether only the liquidity score can still keep a pair from qualifying."""
    checks = (
        *_ticker_checks(readings, settings),
        *_candle_checks(readings, settings),
        _score_check(opportunity_score(readings, settings), settings),
    )
    return not any(check.is_refused for check in checks)


def measured(
    names: tuple[str, str],
    readings: Readings,
    settings: ScannerSettings,
    times: tuple[int, dict[str, float]],
) -> PairMetrics:
    """Return a pair's metrics.

    Parameters
    ----------
    names
        Freqtrade's and the exchange's name.
    readings
        What is known of it.
    settings
        Filters, weights and marks.
    times
        `observed_at_ms` and `ages_s`.
    """
    score = opportunity_score(readings, settings)
    liquidity = liquidity_score(readings, settings.liquidity)
    filters = [
        *_ticker_checks(readings, settings),
        *_candle_checks(readings, settings),
        _liquidity_check(liquidity, settings),
    ]
    refused = [check for check in (*filters, _score_check(score, settings)) if check.is_refused]
    refused.sort(key=lambda check: check.is_unknown)
    return PairMetrics(
        pair=names[0],
        symbol=names[1],
        opportunity_score=score,
        liquidity_score=liquidity,
        volume_24h=readings.volume_24h,
        spread_pct=readings.spread_pct,
        change_24h_pct=readings.change_24h_pct,
        atr_pct=readings.atr_pct,
        price=readings.price,
        history_candles=readings.history_candles,
        qualified=not refused,
        reasons=tuple(check.words for check in refused),
        observed_at_ms=times[0],
        ages_s=times[1],
    )


class _Check(NamedTuple):
    """One filter: the value it looks at, its limit, whether it passes, words for when it fails."""

    name: str
    value: float
    limit: float
    is_passed: bool
    failure: str  # {0} is the value, {1} the limit

    @property
    def is_unknown(self) -> bool:
        return isnan(self.value)

    @property
    def is_refused(self) -> bool:
        return not self.is_passed or isnan(self.value)

    @property
    def words(self) -> str:
        if self.is_unknown:
            return f"{self.name} is unknown"
        return self.failure.format(self.value, self.limit)


def _ticker_checks(readings: Readings, settings: ScannerSettings) -> Iterator[_Check]:
    volume, floor = readings.volume_24h, settings.min_volume_usdt
    words = "24 h volume {0:,.0f} USDT is not above {1:,.0f}"
    yield _Check("24 h volume", volume, floor, volume > floor, words)
    spread, most = readings.spread_pct, settings.max_spread_pct
    words = "spread {0:.4f} % is not below {1:g} %"
    yield _Check("spread", spread, most, spread < most, words)
    change, least = readings.change_24h_pct, settings.min_change_pct
    words = "24 h change {0:+.2f} % is not beyond {1:g} %: too quiet"
    yield _Check("24 h change", change, least, abs(change) > least, words)


def _candle_checks(readings: Readings, settings: ScannerSettings) -> Iterator[_Check]:
    count = nan if readings.history_candles is None else float(readings.history_candles)
    fewest = settings.min_history_candles
    words = "{0:.0f} candles of 15m history are fewer than {1}"
    yield _Check("15m history", count, fewest, count >= fewest, words)
    atr, least = readings.atr_pct, settings.min_atr_pct
    words = "ATR {0:.3f} % of price is below {1:g} %: too little movement"
    yield _Check("ATR", atr, least, atr >= least, words)


def _liquidity_check(score: float, settings: ScannerSettings) -> _Check:
    least = settings.min_liquidity_score
    words = "liquidity score {0:.1f} is below {1:g}"
    return _Check("liquidity score", score, least, score >= least, words)


def _score_check(score: float, settings: ScannerSettings) -> _Check:
    least = settings.min_opportunity_score
    words = "opportunity score {0:.2f} is not above {1:g}"
    return _Check("opportunity score", score, least, score > least, words)
