"""What the commands ask of the running bot; any thread but the trading loop's."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from freqtrade.exceptions import OperationalException
from pandas import DataFrame

from scalp_strategy.account import AccountState
from scalp_strategy.errors import StoreError
from scalp_strategy.evidence import Evidence
from scalp_strategy.journal.conclusion import CLOSED, REPLAY
from scalp_strategy.journal.days import SENT
from scalp_strategy.journal.reader import JournalReader
from scalp_strategy.journal.views import PositionView, SignalRow
from scalp_strategy.outcomes.replay import plan_of
from scalp_strategy.settings import Settings, settings_hash
from scalp_strategy.signals import SignalKey, Verdict
from scalp_strategy.telegram.courier import ChannelStatus
from scalp_strategy.trade_state import TradeState

RUNNING: Final = "running"
STOPPED: Final = "stopped"
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_HEALTH_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Result:
    """How a trade, or in a service without orders a signal, has ended, after costs.

    Attributes
    ----------
    profit
        Quote currency.
    net_r
        The same in R, NaN is unknown.
    """

    ended_at: datetime
    profit: float
    net_r: float
    outcome: str


@dataclass(frozen=True, slots=True)
class Levels:
    """Prices to draw: entry, stop and targets; NaN is unknown."""

    entry: float
    stop: float
    targets: tuple[float, ...]


class Facts:
    """Reads the strategy, its engine and its journal; what is not there is None or NaN.

    Parameters
    ----------
    strategy
        The strategy; its engine comes when the bot has started.
    state
        The host's state: running, paused, stopped.
    """

    def __init__(self, strategy: Any, state: Callable[[], str] = lambda: RUNNING) -> None:
        self._strategy, self._state = strategy, state

    # ---- the bot ----

    @property
    def engine(self) -> Any:
        """The engine, None while the bot starts."""
        return self._strategy.engine

    @property
    def config(self) -> dict[str, Any]:
        """The host's configuration."""
        config: dict[str, Any] = self._strategy.config
        return config

    @property
    def settings(self) -> Settings:
        """The effective settings."""
        engine = self.engine
        found: Settings = engine.desk.settings if engine is not None else self._strategy.settings
        return found

    @property
    def settings_name(self) -> str:
        """The preset, and the hash that signals and reports carry."""
        return f"{self.settings.preset} {settings_hash(self.settings)}"

    @property
    def currency(self) -> str:
        """The quote currency."""
        return str(self.config.get("stake_currency", ""))

    @property
    def host_state(self) -> str:
        """The host's state: running, paused, stopped."""
        return self._state()

    @property
    def now(self) -> datetime:
        """The present instant, UTC."""
        return datetime.now(UTC)

    # ---- the account ----

    @property
    def account(self) -> AccountState:
        """The account as it was marked last; empty while the bot starts."""
        engine = self.engine
        state: AccountState = engine.account.state if engine is not None else AccountState()
        return state

    @property
    def equity(self) -> float:
        """Equity as marked last, NaN before that."""
        return self.account.equity if self.account.equity > 0 else math.nan

    @property
    def day_open_equity(self) -> float:
        """Equity at the start of this UTC day, NaN where no loop has seen the day yet."""
        engine, is_today = self.engine, self.account.day == self.now.date().isoformat()
        opened = float(engine.account.day_open_equity) if engine is not None and is_today else 0.0
        return opened if opened > 0 else math.nan

    @property
    def drawdown_pct(self) -> float:
        """Loss since 00:00 UTC or an override in percent, NaN as `day_open_equity`."""
        if math.isnan(self.day_open_equity):
            return math.nan
        return max(0.0, float(self.engine.account.drawdown_pct))

    def start_equity(self, results: Sequence[Result]) -> float:
        """Return the equity before some results, the last ones of all; NaN where unknown."""
        engine = self.engine
        if engine is None or self.is_unordered:
            return self.equity  # without orders nothing has changed it
        unrealised = sum(position.unrealised for position in engine.account.positions)
        before = self.equity - float(unrealised) - sum(result.profit for result in results)
        return before if before > 0 else math.nan

    def heat(self) -> tuple[float, float]:
        """Return what the limit counts (money at risk, or exposure) in percent, and the limit."""
        sizing = self.settings.risk.sizing
        view = self.engine.account.view() if self.engine is not None else None
        if view is None or not view.equity > 0:
            return math.nan, sizing.max_heat_pct
        used = view.open_risk if sizing.heat_basis == "risk" else view.open_exposure
        return used / view.equity * 100.0, sizing.max_heat_pct

    def is_override(self) -> bool:
        """Return whether a resume would override the drawdown of this very UTC day."""
        state = self.account
        is_todays = state.paused_at[:10] == self.now.date().isoformat()
        return state.is_paused and is_todays and not state.is_admin_pause

    # ---- the journal ----

    @property
    def reader(self) -> JournalReader:
        """The journal.

        Raises
        ------
        StoreError
            While there is none.
        """
        reader: JournalReader | None = self.engine.reader if self.engine is not None else None
        if reader is None:
            raise StoreError("the bot is starting")
        return reader

    @property
    def is_unordered(self) -> bool:
        """Whether this is the service without orders: results are those of the signals."""
        return self.settings.signals_only

    def results(self, days: float | None = None) -> list[Result]:
        """Return the results of the last days, or all, by their end."""
        since = _EARLIEST if days is None else self.now - timedelta(days=days)
        return self._results(since)

    def results_today(self) -> list[Result]:
        """Return the results of this UTC day."""
        return self._results(self.now.replace(hour=0, minute=0, second=0, microsecond=0))

    def _results(self, since: datetime) -> list[Result]:
        until = self.now + _DAY
        if not self.is_unordered:
            ended = self.reader.closed_positions(since, until)
            found = (_of_trade(one) for one in ended if one.status == CLOSED)
            return [one for one in found if one is not None]
        # A signal ends within hours of its close.
        first = since if since == _EARLIEST else since - _DAY
        known = (_of_signal(one) for one in self.reader.signals_between(first, until))
        ended_since = (one for one in known if one is not None and one.ended_at >= since)
        return sorted(ended_since, key=lambda one: one.ended_at)

    def signals(self, count: int, *, sent_only: bool) -> list[SignalRow]:
        """Return the newest signals."""
        return self.reader.last_signals(count, sent_only=sent_only)

    # ---- pairs and trades ----

    def trades(self) -> list[TradeState]:
        """Return the open trades as the last loop saw them."""
        trades: list[TradeState] = self.engine.trades() if self.engine is not None else []
        return [trade for trade in trades if not trade.is_over]

    def trade(self, pair: str) -> TradeState | None:
        """Return a pair's open trade."""
        return next((trade for trade in self.trades() if trade.pair == pair), None)

    def pairs(self) -> list[str]:
        """Return the pairs that are looked at: the scanned ones, and those of open trades."""
        data = self._strategy.dp
        try:
            scanned = list(data.current_whitelist()) if data is not None else []
        except OperationalException:
            scanned = []  # the host has no pair list yet
        return list(dict.fromkeys([*scanned, *(trade.pair for trade in self.trades())]))

    def evidence(self, pair: str) -> Evidence | None:
        """Return what is known of a pair's last analysed candle."""
        engine = self.engine
        analysed = engine.desk.analysed(pair) if engine is not None else None
        close = analysed.last_close if analysed is not None else None
        found: Evidence | None = engine.evidence(pair, close) if close is not None else None
        return found

    def verdicts(self, evidence: Evidence) -> Sequence[Verdict]:
        """Return what the breakers say of a pair's last candle as it stands now."""
        spoken: tuple[Verdict, ...] = self.engine.desk.verdicts_on(
            evidence.pair, evidence.close_time
        )
        return spoken

    def levels(self, evidence: Evidence) -> Levels | None:
        """Return the prices of a pair's open trade, else of the signal of its last candle."""
        trade = self.trade(evidence.pair)
        key = SignalKey(evidence.pair, evidence.side, evidence.close_time)
        try:
            row = self.reader.signal(key if trade is None else trade.key)
        except StoreError:
            row = None
        if trade is not None:
            plan = plan_of(row.plan, trade.side) if row is not None else None
            targets = plan.anchored(trade.entry_price).targets if plan is not None else ()
            return Levels(trade.entry_price, trade.stop, tuple(targets))
        if row is None or row.stop_loss is None:
            return None
        known = (price for price in (row.tp1, row.tp2, row.tp3) if price is not None)
        return Levels(row.entry_price, row.stop_loss, tuple(known))

    def frame(self, pair: str) -> DataFrame | None:
        """Return a pair's analysed candles for a chart, None without."""
        data = self._strategy.dp
        if data is None:
            return None
        frame, _ = data.get_analyzed_dataframe(pair, self._strategy.timeframe)
        return None if frame is None or frame.empty else frame.tail(self._chart_rows).copy()

    @property
    def _chart_rows(self) -> int:
        return self.settings.telegram.chart_candles

    # ---- health ----

    def journal_problem(self) -> str | None:
        """Return why the journal is not written, None when it is; "" is that nobody knows."""
        keeper = self.engine.keeper if self.engine is not None else None
        if keeper is None:
            return ""
        problem: str | None = keeper.problem
        return problem

    def delivery(self) -> list[ChannelStatus]:
        """Return how each channel of the courier is."""
        bot = self._strategy.telegram_bot
        return list(bot.courier.status()) if bot is not None else []

    def health(self) -> tuple[dict[str, Any] | None, str]:
        """Return the sidecar's health, else None and why there is none."""
        url = self.settings.sidecar.url
        if not url:
            return None, "no sidecar is configured (scalp.sidecar.url)"
        token = os.environ.get("SCALP_LAYERS_TOKEN", "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = httpx.get(
                f"{url.rstrip('/')}/v1/health", headers=headers, timeout=_HEALTH_S, trust_env=False
            )
            # A sidecar that is down says so with another status and the same document.
            document = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return None, f"the sidecar does not answer ({type(error).__name__})"
        if not isinstance(document, dict) or "status" not in document:
            return None, f"the sidecar answers with HTTP status {answer.status_code}"
        return document, ""


def _of_trade(row: PositionView) -> Result | None:
    if row.closed_at is None:
        return None
    net_r = math.nan if row.net_r is None else row.net_r
    return Result(row.closed_at, row.profit, net_r, row.outcome or "other")


def _of_signal(row: SignalRow) -> Result | None:
    """Return the result of a signal that was sent and followed on candles."""
    is_followed = row.status in SENT and row.outcome_source == REPLAY
    if not is_followed or row.closed_at is None:
        return None
    if row.replay_net_r is None or row.risk_quote is None:
        return None
    profit = row.replay_net_r * row.risk_quote
    return Result(row.closed_at, profit, row.replay_net_r, row.outcome or "other")
