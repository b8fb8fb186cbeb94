"""The engine's rooms, wired to one running Freqtrade: what the strategy's callbacks talk to."""

import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from freqtrade.enums import TRADE_MODES, RunMode
from freqtrade.persistence import Trade
from pandas import DataFrame, Series

from scalp_strategy.account import Account, MemoryStore, StateStore
from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.announce import announcement
from scalp_strategy.apart import Apart
from scalp_strategy.backtest_journal import BacktestJournal
from scalp_strategy.base_rate import base_rates
from scalp_strategy.base_rate_desk import base_rate_desk, downloaded_candles, past_occurrences
from scalp_strategy.bot_files import words_path
from scalp_strategy.contract import Side
from scalp_strategy.decision import DecisionDesk, btc_beside
from scalp_strategy.errors import StoreError
from scalp_strategy.evidence import Evidence, evidence_at
from scalp_strategy.exits import ExitDesk, HostTrade, candle_open
from scalp_strategy.host import FreqtradeHost
from scalp_strategy.journal import DecisionLog, MemoryLog
from scalp_strategy.journal.keeper import Keeper
from scalp_strategy.journal.reader import JournalReader
from scalp_strategy.layers import (
    ArchiveSource,
    LayerSource,
    layer_frame,
    live_source,
)
from scalp_strategy.live import Live
from scalp_strategy.own_trades import OwnTrades
from scalp_strategy.recording import JournalLog
from scalp_strategy.settings import Settings
from scalp_strategy.signals import Decision, SignalKey
from scalp_strategy.state_file import AdminRequest
from scalp_strategy.telegram.html import Text
from scalp_strategy.trade_state import TradeState

logger = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")

_NS_PER_MS = 1_000_000


class Engine:
    """Decision desk, exit desk and account of one strategy.

    Parameters
    ----------
    strategy
        The strategy, started: it has `dp`, `wallets` and `config`.
    settings
        The effective settings.

    Raises
    ------
    ConfigError
        When the address of the sidecar or of the journal is malformed.
    """

    def __init__(self, strategy: Any, settings: Settings) -> None:
        self._strategy = strategy
        self.is_trading = strategy.dp.runmode in TRADE_MODES
        self.live = Live(strategy, settings, os.environ) if self.is_trading else None
        self._served = (
            live_source(settings, os.environ, words_path(strategy.config))
            if self.is_trading
            else None
        )
        self.layers: LayerSource = self._served or ArchiveSource(
            archive_path(strategy.config, settings)
        )
        self._past = (
            base_rate_desk(strategy.config, settings, self._candles_shown)
            if self.is_trading
            else None
        )
        store: StateStore = self.live.file if self.live is not None else MemoryStore()
        self.log = self._log()
        self.apart = Apart()
        self.own_trades = OwnTrades(type(strategy).__name__, self.apart)
        self.host = FreqtradeHost(strategy, self._stop_price, self.own_trades)
        self.account = Account(
            settings.breakers,
            store,
            resumes_next_day=not self.is_trading,
            keeps_days=self.is_trading,
        )
        self.desk = DecisionDesk(
            settings, self.host, self.account, self.log, keeps_discarded=self.is_trading
        )
        self.exits = ExitDesk(self.desk, self.host.market, keeps_plans=self.is_trading)
        self._now: datetime | None = None
        self._told_problem: str | None = None
        self._refused: dict[str, datetime] = {}
        self._watched: set[str] = set()
        if self.live is not None:
            self.live.open(self, datetime.now(UTC))
        elif strategy.dp.runmode == RunMode.BACKTEST and settings.journal.in_backtests:
            BacktestJournal(self, strategy.config, settings).write_at_exit()

    def begin_loop(self, now: datetime, pairs: Iterable[str] = ()) -> None:
        """Begin a loop of the host: notice a new epoch, or care for plans and admin requests.

        Live, what the outside layers knew at the last close is read for `pairs` and open trades.
        """
        # Live, a clock that is set back must not forget a pause.
        if not self.is_trading and self._now is not None and now < self._now:
            self.desk.reset()
            self.exits.reset()
        self._now = now
        self._report_store()
        if self.live is not None:
            trades = Trade.get_trades_proxy(is_open=True)
            for trade in trades:
                self.ask_exits(trade, "its plan", partial(_make_plan, trade), None)
            pairs = [*pairs, *(trade.pair for trade in trades)]
            self.apart.run(
                "step layers", "it", partial(self._read_layers, now, pairs), lambda: None
            )
            if self._past is not None:
                past = partial(self._past.begin, now, pairs)
                self.apart.run("step base rates", "it", past, lambda: None)
            self.live.begin(now)

    def tell(self, now: datetime, send: Callable[[str], None]) -> None:
        """Tell what there is to tell; `send` is the host's own way. Never waits."""
        if self.live is not None:
            self.live.tell(now, send)

    def close(self) -> None:
        """Write what waits before the host ends."""
        if self.live is not None:
            self.live.close()

    # ---- what commands ask ----

    def ask(self, request: AdminRequest, by: str) -> "Future[str]":
        """Ask to pause or resume, in any thread; the trading loop does it and says what it did.

        Raises
        ------
        StoreError
            When the bot does not trade.
        """
        if self.live is None:
            raise StoreError("this is not a trading bot")
        return self.live.requests.ask(request, by)

    def owns_message(self, text: str) -> bool:
        """Whether a text that the host hands on is one of ours, told in another way too."""
        return self.live is not None and self.live.owns_message(text)

    def evidence(
        self, pair: str, close: datetime | None = None, side: Side | None = None
    ) -> Evidence | None:
        """Return what is known of a pair's candle, the last one by default; None without it."""
        analysed = self.desk.analysed(pair)
        if analysed is None:
            return None
        moment = close or candle_open(self._now or datetime.now(UTC))
        return evidence_at(analysed, moment, self.layers, self.desk.settings, side)

    def trades(self) -> list[TradeState]:
        """Return the trades as the last loop saw them: open ones, and those that ended in it."""
        return self.live.trades if self.live is not None else []

    @property
    def keeper(self) -> Keeper | None:
        """Who writes the journal; None in a backtest."""
        return self.live.keeper if self.live is not None else None

    @property
    def reader(self) -> JournalReader | None:
        """Who reads the journal; None in a backtest."""
        return self.live.reader if self.live is not None else None

    # ---- candles, decisions, entries ----

    def layer_columns(self, pair: str, dates: "Series[Any]", settings: Settings) -> DataFrame:
        """Return what the outside layers say at the close of every candle of a pair."""
        return layer_frame(self.layers, pair, dates, settings)

    def base_rates(self, frames: dict[str, DataFrame], settings: Settings) -> dict[str, DataFrame]:
        """Return how the pairs' setups have ended before, by pair.

        While trading from all remembered, else from the candles on disk before the range as well.
        """
        if self._past is not None:
            return {pair: self._past.columns(pair, frame) for pair, frame in frames.items()}
        if self._strategy.dp.runmode == RunMode.UTIL_NO_EXCHANGE:
            return base_rates(frames, settings)  # the host's analyses compare lengths of history
        first = {pair: one["date"].iloc[0] for pair, one in frames.items() if len(one)}
        before = past_occurrences(first, settings, downloaded_candles(self._strategy.config))
        cold = sorted(first.keys() - before.keys())
        if cold:
            logger.info(
                "Base rates begin cold for %s: no candles on disk lie before the range.",
                ", ".join(cold),
            )
        return base_rates(frames, settings, before)

    def candles(self, pair: str, timeframe: str) -> DataFrame | None:
        """Return the candles of a lower timeframe that the sidecar served."""
        return self._served.candles(pair, timeframe) if self._served is not None else None

    def decide(self, now: datetime, pairs: list[str]) -> list[Decision]:
        """Judge the candles that closed last; a pair that was judged is not judged again."""
        self._watch_btc(pairs)
        before = self.account.state
        decisions = self.desk.decide(candle_open(now), pairs)
        if self.live is not None:
            self.live.account_changed(before, now)
            self.live.decided(decisions, self._message, now)
        return decisions

    def approved(self, pair: str, side: Side, now: datetime) -> Decision | None:
        """Return the approved decision for the candle that closed last."""
        return self.desk.approved(pair, side, candle_open(now))

    def leverage(self, pair: str, side: Side, now: datetime) -> float:
        """Return the leverage of the approved entry; 1 when there is none."""
        decision = self.approved(pair, side, now)
        return decision.size.leverage if decision and decision.size else 1.0

    def stake(self, pair: str, side: Side, now: datetime, rate: float) -> float:
        """Return the stake that buys the planned amount at this rate; 0 when there is none."""
        decision = self.approved(pair, side, now)
        if decision is None or decision.size is None:
            return 0.0
        # Half a step more: the host floors stake / rate to the amount step.
        half_step = self.host.market(pair, rate).step / 2
        return (decision.size.amount + half_step) * rate / decision.size.leverage

    def may_enter(self, pair: str, side: Side, now: datetime, rate: float, amount: float) -> bool:
        """Return whether an entry is the one that was approved, still within its limits."""
        decision = self.approved(pair, side, now)
        if decision is None or decision.size is None:
            return False
        # Less than one step more is what the host will floor away.
        most = decision.size.amount + self.host.market(pair, rate).step
        before = self.account.state
        reason = self.desk.refusal(decision, rate, now)
        if self.live is not None:
            self.live.account_changed(before, now)
        if reason is None and not amount < most:
            reason = f"the host wants {amount:.10g}, {decision.size.amount:.10g} was approved"
        if reason is None:
            self.desk.taken(decision)
            return True
        self.desk.not_taken(decision, reason)
        self._say_once(decision, reason)
        return False

    def expired(self, key: SignalKey) -> None:
        """Note that a signal's order was not filled in time."""
        self.desk.expired(key)

    def _say_once(self, decision: Decision, reason: str) -> None:
        """Log a refusal when it is new: the host asks again in every loop."""
        candidate = decision.candidate
        if self.is_trading and self._refused.get(candidate.pair) != candidate.close_time:
            self._refused[candidate.pair] = candidate.close_time
            logger.info("%s %s not entered for now: %s", candidate.pair, candidate.side, reason)

    def _watch_btc(self, pairs: list[str]) -> None:
        """Show the desk BTC's candles where it is not scanned: its leap is a danger to all."""
        for btc in {btc_beside(pair) for pair in pairs} - {*pairs}:
            if not self.is_trading and btc in self._watched:
                continue
            self._watched.add(btc)
            candles = self.host.candles(btc)
            if not candles.empty:
                seen = candles.assign(is_candidate=False)
                self.desk.watch(AnalysedPair(btc, seen, self.desk.settings))

    def _read_layers(self, now: datetime, pairs: list[str]) -> None:
        if self._served is not None:
            self._served.refresh(instant_ns(candle_open(now)) // _NS_PER_MS, pairs)

    def _candles_shown(self, pair: str, timeframe: str) -> DataFrame | None:
        shown: DataFrame | None = self._strategy.candles_shown(pair, timeframe)
        return shown

    def ask_exits(
        self,
        trade: HostTrade,
        what: str,
        ask: Callable[[ExitDesk], AnswerT],
        otherwise: AnswerT,
    ) -> AnswerT:
        """Return what the exits answer to the host's question about one of its trades.

        Parameters
        ----------
        trade
            The trade; one of another strategy is left alone.
        what
            What is asked for, in a word.
        ask
            The question.
        otherwise
            The answer that changes nothing: for a foreign trade, and where the question fails.
        """
        if not self.own_trades.is_own(trade):
            return otherwise
        return self.own_trades.run(trade, what, partial(ask, self.exits), lambda: otherwise)

    def _stop_price(self, trade: HostTrade, now: datetime) -> float | None:
        return self.exits.stop(trade, now) if self.own_trades.is_own(trade) else None

    def _report_store(self) -> None:
        """Log once when the account's state cannot be kept, and once when it can again."""
        problem = self.account.store_problem
        if (problem is None) != (self._told_problem is None):
            if problem is None:
                logger.warning("The account's state is kept again.")
            else:
                logger.error("The account's state is not kept: %s", problem)
        self._told_problem = problem

    def _log(self) -> DecisionLog:
        if self.live is None:
            return MemoryLog()
        return JournalLog(
            self.live.keeper.record,
            self.live.bot,
            lambda key: self.evidence(key.pair, key.close_time, key.side),
            lambda: self.desk.settings,
            lambda: self._now or datetime.now(UTC),
            self.live.refused,
        )

    def _message(self, decision: Decision) -> Text | None:
        try:
            return announcement(decision, self)
        except Exception:
            # An approved entry stands whether it could be announced or not.
            logger.exception(
                "%s: the decision could not be announced; it stands.", decision.candidate.pair
            )
            return None


def archive_path(config: dict[str, Any], settings: Settings) -> Path:
    """Return where the archive of the outside layers lies."""
    return Path(config.get("user_data_dir") or "user_data") / settings.sidecar.archive_dir


def has_sidecar(settings: Settings) -> bool:
    """Return whether the settings name a sidecar to read while trading."""
    return bool(settings.sidecar.url) or settings.sidecar.transport == "redis"


def _make_plan(trade: HostTrade, exits: ExitDesk) -> None:
    exits.plan(trade)
