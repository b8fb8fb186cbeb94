"""The desk that decides: all pairs of one candle, judged once, best score first.

The host asks for leverage, stake and confirmation pair by pair, in its own order, again and again,
and not at all for some; so it cannot be the one who decides. Here every candidate of a candle is
judged once, in the order in which the portfolio's heat and slots are given out. The callbacks only
look the latched decision up. The same code runs live and in backtests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import isnan, prod
from typing import Final

from scalp_strategy.account import Account
from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.breakers import BREAKERS, Breaker, BreakerState, TradeHistory, verdicts
from scalp_strategy.contract import Side
from scalp_strategy.decision.charts import CandidateChart, Charts
from scalp_strategy.decision.discarded import discard_reason
from scalp_strategy.decision.followed import FollowedSignal, FollowedSignals, followed
from scalp_strategy.decision.host import Host
from scalp_strategy.journal import DecisionLog
from scalp_strategy.risk import PositionSize, Rejection, TradePlan, position_size, trade_plan
from scalp_strategy.risk.plan import entry_drift_r, has_drifted
from scalp_strategy.settings import Settings, settings_hash
from scalp_strategy.signals import Candidate, Decision, SignalKey, Status, Verdict

NEVER_ASKED: Final = "the host placed no order: no free slot, a locked pair or too little balance"

SIGNALS_ONLY: Final = "signals only: no order is placed"

NOT_FILLED: Final = "the entry was not filled while the signal was valid"

# Beyond these digits a live candle and the same one in a backtest may differ: EMAs that began
# elsewhere.
_RANK_DIGITS: Final = 6

# An order lives for its signal's validity; nothing is told of older ones.
_ORDERS_KEPT: Final = timedelta(days=1)


class DecisionDesk:
    """Judges the candidates of each candle once and keeps the verdicts for the callbacks.

    Parameters
    ----------
    settings
        The effective settings; replaced by `use` when parameters change.
    host
        Gives holdings, exchange rules and ended trades.
    account
        Equity, drawdown, open risk.
    log
        Receives every decision.
    breakers
        The circuit breakers to ask.
    keeps_discarded
        Whether candles with a direction that reach no tier are logged too, from
        `journal.discarded_from_score` on. Not in backtests: they are most candles.
    """

    def __init__(
        self,
        settings: Settings,
        host: Host,
        account: Account,
        log: DecisionLog,
        breakers: tuple[Breaker, ...] = BREAKERS,
        *,
        keeps_discarded: bool = False,
    ) -> None:
        self.account = account
        self.log = log
        self._host = host
        self._breakers = breakers
        self._keeps_discarded = keeps_discarded
        self._charts = Charts(host)
        self._history: TradeHistory | None = None
        self._latched: dict[str, Decision] = {}
        self._judged: set[str] = set()
        self._reserved: dict[str, FollowedSignal] = {}
        self._followed = FollowedSignals()
        self._untaken: dict[str, str] = {}
        self._orders: dict[SignalKey, Decision] = {}
        self._close: datetime | None = None
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Judge with these settings from now on."""
        self.settings = settings
        self._settings_hash = settings_hash(settings)

    def offer(self, analysed: AnalysedPair) -> None:
        """Take a pair's analysed candles; the newest replace the earlier."""
        self._charts.offer(analysed)

    def watch(self, seen: AnalysedPair) -> None:
        """Take the candles of a pair that is looked at and not traded."""
        self._charts.watch(seen)

    def analysed(self, pair: str) -> AnalysedPair | None:
        """Return a pair's analysed candles, None when it was never offered."""
        return self._charts.get(pair)

    def reset(self) -> None:
        """Forget decisions, reservations and the account: a new backtest epoch begins."""
        self._forget_candle()
        self._followed.clear()
        self._orders.clear()
        self._close = None
        self.account.reset()
        self.log.clear()

    def restore(self, close: datetime, decided: Mapping[SignalKey, Status]) -> None:
        """Take over what was decided of a candle before a restart; before the first `decide`.

        Its pairs are not judged, nor told, again: a veto is final for its candle. An approved
        signal whose order was not placed before the restart is not entered any more.

        Parameters
        ----------
        close
            The close of the candle that is current now.
        decided
            What the journal has of it; signals of other candles are passed over.
        """
        self._close = close
        self._judged |= {key.pair for key in decided if key.close_time == close}

    def restore_followed(self, signals: Iterable[FollowedSignal]) -> None:
        """Go on following signals that were approved before a restart, in `signals_only` mode.

        Those that have ended since are let go at the next look.
        """
        self._followed.add(signals)

    def decide(self, close: datetime, pairs: Iterable[str]) -> list[Decision]:
        """Judge the candidates of the candle that closed at `close`, each pair once.

        Parameters
        ----------
        close
            The close of the candle, UTC.
        pairs
            The scanned pairs. A pair whose candle is not here yet is judged in a later call.

        Returns
        -------
        list of Decision
            The decisions made in this call, best score first; what was discarded is only logged.
        """
        if close != self._close:
            self._end_candle(close)
            self._close = close
        self._history = None
        self._mark(close)
        close_ns = instant_ns(close)
        new = self._new_pairs(close_ns, pairs)
        decisions = [self._judge_safely(candidate) for candidate in self._ranked(new, close_ns)]
        for decision in decisions:
            self._latched[decision.candidate.pair] = decision
            self.log.record(decision)
            if decision.is_approved:
                self._untaken[decision.candidate.pair] = NEVER_ASKED
        if self._keeps_discarded:
            for analysed in new:
                self._discard(analysed, close_ns)
        return decisions

    def approved(self, pair: str, side: Side, close: datetime) -> Decision | None:
        """Return the approved decision for a pair's candle, None when there is none."""
        decision = self._latched.get(pair)
        if decision is None or not decision.is_approved:
            return None
        return decision if decision.candidate.key == (pair, side, close) else None

    def refusal(self, decision: Decision, rate: float, now: datetime) -> str | None:
        """Say why an approved entry must not be made at this rate and instant, None if it may.

        The pause and the drawdown are looked at again; a price that drifted is another trade.
        """
        if decision.plan is None:
            return "there is no plan"
        age_s = (now - decision.candidate.close_time).total_seconds()
        expiry_s = self.settings.entry.signal_expiry_minutes * 60
        if age_s >= expiry_s:
            return f"the signal is {age_s:.0f} s old, it expired after {expiry_s} s"
        self._mark(now)
        if self.account.state.is_paused:
            return f"all signals paused: {self.account.state.pause_reason}"
        if self.account.store_problem is not None:
            return f"the account's state cannot be kept: {self.account.store_problem}"
        if has_drifted(decision.plan, rate, self.settings.risk):
            drift = entry_drift_r(decision.plan, rate)
            limit = self.settings.risk.max_entry_drift_r
            return f"price drifted {drift:.2f} R from the signal, at most {limit:g} R is allowed"
        return None

    def verdicts_on(self, pair: str, close: datetime) -> tuple[Verdict, ...]:
        """Return what the breakers say now of a pair's candidate; nothing where there is none.

        For who asks; it changes nothing. The verdicts of a decision were made at its close.
        """
        analysed = self._charts.get(pair)
        candidate = None if analysed is None else analysed.candidate(instant_ns(close))
        if candidate is None:
            return ()
        state = replace(self._state(candidate), history=self._host.trade_history())
        return verdicts(candidate, state, self._breakers)

    def mark(self, now: datetime) -> None:
        """Take the account's picture between two candles: a loss pauses at once."""
        self._mark(now)

    def not_taken(self, decision: Decision, reason: str) -> None:
        """Log why an approved signal did not become an order so far; the host may ask again."""
        self._untaken[decision.candidate.pair] = reason
        self.log.record(replace(decision, status=Status.NOT_TAKEN, reasons=(reason,)))

    def taken(self, decision: Decision) -> None:
        """Log that an approved signal becomes an order."""
        self._untaken.pop(decision.candidate.pair, None)
        self._orders[decision.candidate.key] = decision
        self.log.record(replace(decision, status=Status.TAKEN))

    def expired(self, key: SignalKey, reason: str = NOT_FILLED) -> bool:
        """Log that a signal's order was not filled in time.

        Returns
        -------
        bool
            False when its decision is not known (it was made before a restart): nothing is logged.
        """
        decision = self._orders.pop(key, None)
        if decision is None:
            return False
        self.log.record(replace(decision, status=Status.EXPIRED, reasons=(reason,)))
        return True

    def mark_price(self, pair: str, now: datetime) -> float:
        """Return the last close of a pair at an instant, NaN when unknown."""
        analysed = self._charts.get(pair)
        return analysed.price_at(instant_ns(now)) if analysed else float("nan")

    def _end_candle(self, close: datetime) -> None:
        """Log the approved signals of the last candle that the host never asked about."""
        for pair, reason in list(self._untaken.items()):
            if reason == NEVER_ASKED:
                said = SIGNALS_ONLY if self.settings.signals_only else NEVER_ASKED
                self.not_taken(self._latched[pair], said)
        self._forget_candle()
        since = close - _ORDERS_KEPT
        self._orders = {key: one for key, one in self._orders.items() if key.close_time > since}

    def _forget_candle(self) -> None:
        self._latched.clear()
        self._judged.clear()
        self._reserved.clear()
        self._untaken = {}

    def _mark(self, now: datetime) -> None:
        holdings = self._host.holdings(self.mark_price, now)
        held = {position.pair for position in holdings.positions}
        # Once the host holds a position, it alone knows when it ends.
        self._reserved = {pair: kept for pair, kept in self._reserved.items() if pair not in held}
        self._followed.end(now, self._charts.get, self.settings.risk)
        pending = [*self._reserved.values(), *self._followed]
        positions = (*holdings.positions, *(one.position for one in pending))
        free = holdings.free_balance - sum(one.stake for one in pending)
        self.account.mark(now, holdings.capital, free, positions)

    def _ranked(self, pairs: Iterable[AnalysedPair], close_ns: int) -> list[Candidate]:
        """Return the candidates of a candle, in the order in which slots and heat are given out."""
        found = (analysed.candidate(close_ns) for analysed in pairs)
        return sorted((one for one in found if one is not None), key=self._rank)

    def _rank(self, candidate: Candidate) -> tuple[float, float, float, str]:
        """Best first: the score before it is rounded, net reward to risk, coverage, the name."""
        exact = candidate.score if isnan(candidate.confluence) else candidate.confluence
        plan = self._plan(candidate)
        net_rr = 0.0 if isinstance(plan, Rejection) else plan.net_rr
        return (
            -round(exact, _RANK_DIGITS),
            -round(net_rr, _RANK_DIGITS),
            -round(candidate.coverage, _RANK_DIGITS),
            candidate.pair,
        )

    def _new_pairs(self, close_ns: int, pairs: Iterable[str]) -> list[AnalysedPair]:
        """Return the pairs whose candle has come since the last look."""
        new = []
        for pair in pairs:
            analysed = self._charts.get(pair)
            if pair in self._judged or analysed is None or not analysed.has_candle(close_ns):
                continue
            self._judged.add(pair)
            new.append(analysed)
        return new

    def _discard(self, analysed: AnalysedPair, close_ns: int) -> None:
        """Log a candle that reaches no tier; with a plan, so that its outcome can be found."""
        candidate = analysed.discarded(close_ns, self.settings.journal.discarded_from_score)
        if candidate is None or not self._is_side_open(candidate):
            return
        plan = self._plan(candidate)
        self.log.record(
            Decision(
                candidate=candidate,
                status=Status.DISCARDED,
                reasons=(discard_reason(candidate, self.settings),),
                plan=None if isinstance(plan, Rejection) else plan,
                settings_hash=self._settings_hash,
            )
        )

    def _is_side_open(self, candidate: Candidate) -> bool:
        if candidate.side == "long":
            return True
        try:
            return self._host.market(candidate.pair, candidate.price).is_futures
        except Exception:  # noqa: BLE001 - of a market that cannot be read nothing can be told
            return False

    def _judge_safely(self, candidate: Candidate) -> Decision:
        try:
            return self._judge(candidate)
        except Exception as error:  # noqa: BLE001 - a pair that cannot be judged harms no other
            return Decision(
                candidate=candidate,
                status=Status.REJECTED,
                reasons=(f"the pair could not be judged: {error!r}",),
                settings_hash=self._settings_hash,
            )

    def _judge(self, candidate: Candidate) -> Decision:
        spoken = verdicts(candidate, self._state(candidate), self._breakers)
        plan = self._plan(candidate)
        size = self._size(candidate, plan, spoken)
        decision = self._decision(candidate, spoken, plan, size)
        if decision.is_approved:
            self._count(decision)
        return decision

    def _state(self, candidate: Candidate) -> BreakerState:
        if self._history is None:
            self._history = self._host.trade_history()
        rules = self.settings.breakers
        return BreakerState(
            settings=rules,
            account=self.account,
            btc_hour_moves_pct=self._charts.btc_hour_moves(candidate),
            history=self._history,
            chart=CandidateChart(self._charts, candidate, rules),
        )

    def _plan(self, candidate: Candidate) -> TradePlan | Rejection:
        return trade_plan(
            candidate.side,
            candidate.price,
            candidate.atr,
            self.settings.risk,
            candidate.stop_factor,
        )

    def _size(
        self,
        candidate: Candidate,
        plan: TradePlan | Rejection,
        spoken: tuple[Verdict, ...],
    ) -> PositionSize | Rejection:
        if isinstance(plan, Rejection):
            return plan
        market = self._host.market(candidate.pair, candidate.price)
        factor = candidate.size_factor * prod(verdict.size_factor for verdict in spoken)
        return position_size(
            plan,
            candidate.score,
            self.account.view(),
            market,
            self.settings.risk,
            size_factor=factor,
            max_positions=self.settings.breakers.max_concurrent_positions,
        )

    def _decision(
        self,
        candidate: Candidate,
        spoken: tuple[Verdict, ...],
        plan: TradePlan | Rejection,
        size: PositionSize | Rejection,
    ) -> Decision:
        vetoes = tuple(verdict.reason for verdict in spoken if verdict.blocks)
        refusals = [candidate.gate] if candidate.gate else []
        if self.account.holds(candidate.pair):
            refusals.append("the pair already has a position")
        elif self._host.has_traded(candidate.pair, candidate.close_time):
            refusals.append("the signal was traded before a restart")
        if isinstance(size, Rejection):
            refusals.append(size.reason)
        if self.account.store_problem is not None:
            refusals.append(f"the account's state cannot be kept: {self.account.store_problem}")
        unvetoed = Status.REJECTED if refusals else Status.APPROVED
        return Decision(
            candidate=candidate,
            status=Status.VETOED if vetoes else unvetoed,
            reasons=(*vetoes, *refusals),
            verdicts=spoken,
            plan=None if isinstance(plan, Rejection) else plan,
            size=None if isinstance(size, Rejection) else size,
            settings_hash=self._settings_hash,
        )

    def _count(self, decision: Decision) -> None:
        """Count an approved signal: among those sent, and as a position that is to come."""
        self.account.note_signal(decision.candidate.close_time)
        position = followed(decision)
        if position is None:
            return
        if self.settings.signals_only:
            self._followed.add([position])
        else:
            self._reserved[decision.candidate.pair] = position
        self.account.reserve(position.position, position.stake)
