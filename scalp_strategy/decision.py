"""decide(close): all pairs of one candle, judged once, ranked, planned, vetted, logged, latched.

The host asks for leverage, stake and confirmation pair by pair, in its own order, again and again,
and not at all for some; so it cannot be the one who decides. Here every candidate of a candle is
judged once, best score first, in the order in which the portfolio's heat and slots are given out.
The callbacks only look the latched decision up. The same code runs live and in backtests.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from math import isnan, nan, prod
from typing import Final, Protocol

from scalp_strategy.account import Account, Position
from scalp_strategy.analysed import AnalysedPair, instant_ns
from scalp_strategy.breakers import BREAKERS, Breaker, BreakerState, verdicts
from scalp_strategy.contract import Side
from scalp_strategy.journal import DecisionLog
from scalp_strategy.risk import (
    Market,
    PositionSize,
    Rejection,
    TradePlan,
    has_drifted,
    position_size,
    trade_plan,
)
from scalp_strategy.risk.plan import entry_drift_r
from scalp_strategy.settings import Settings, settings_hash
from scalp_strategy.signals import Candidate, Decision, Status, Verdict

NEVER_ASKED: Final = "the host placed no order: no free slot, a locked pair or too little balance"

SIGNALS_ONLY: Final = "signals only: no order is placed"

_BTC: Final = "BTC"
_HOUR_NS: Final = 3_600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the host holds at an instant: the input of `Account.mark`."""

    capital: float
    free_balance: float
    positions: tuple[Position, ...]


class Host(Protocol):
    """What the decision asks of the program that trades."""

    def holdings(self, mark_price: Callable[[str, datetime], float], now: datetime) -> Holdings:
        """Return the balance and everything open or ordered."""

    def market(self, pair: str, price: float) -> Market:
        """Return the exchange's rules for a pair at about this price."""

    def has_traded(self, pair: str, since: datetime) -> bool:
        """Return whether a trade of a pair, open or closed, was opened at or after an instant."""


def btc_beside(pair: str) -> str:
    """Return BTC's pair in the market of another.

    Examples
    --------
    >>> btc_beside("SOL/USDT:USDT")
    'BTC/USDT:USDT'
    """
    return f"{_BTC}/{pair.partition('/')[2]}"


class DecisionDesk:
    """Judges the candidates of each candle once and keeps the verdicts for the callbacks.

    Parameters
    ----------
    settings
        The effective settings; replaced by `use` when parameters change.
    host
        Gives holdings and exchange rules.
    account
        Equity, drawdown, open risk.
    log
        Receives every decision.
    breakers
        The circuit breakers to ask.
    """

    def __init__(
        self,
        settings: Settings,
        host: Host,
        account: Account,
        log: DecisionLog,
        breakers: tuple[Breaker, ...] = BREAKERS,
    ) -> None:
        self.account = account
        self.log = log
        self._host = host
        self._breakers = breakers
        self._pairs: dict[str, AnalysedPair] = {}
        self._watched: dict[str, AnalysedPair] = {}
        self._latched: dict[str, Decision] = {}
        self._judged: set[str] = set()
        self._reserved: dict[str, tuple[Position, float]] = {}
        self._untaken: dict[str, str] = {}
        self._close: datetime | None = None
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Judge with these settings from now on."""
        self.settings = settings
        self._settings_hash = settings_hash(settings)

    def offer(self, analysed: AnalysedPair) -> None:
        """Take a pair's analysed candles; the newest replace the earlier."""
        self._pairs[analysed.pair] = analysed

    def watch(self, seen: AnalysedPair) -> None:
        """Take the candles of a pair that is looked at and not traded."""
        self._watched[seen.pair] = seen

    def analysed(self, pair: str) -> AnalysedPair | None:
        """Return a pair's analysed candles, None when it was never offered."""
        return self._pairs.get(pair)

    def reset(self) -> None:
        """Forget decisions, reservations and the account: a new backtest epoch begins."""
        self._forget_candle()
        self._close = None
        self.account.reset()
        self.log.clear()

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
            The decisions made in this call, best score first.
        """
        if close != self._close:
            self._end_candle()
            self._close = close
        self._mark(close)
        candidates = self._new_candidates(instant_ns(close), pairs)
        decisions = [self._judge_safely(candidate) for candidate in candidates]
        for decision in decisions:
            self._latched[decision.candidate.pair] = decision
            self.log.record(decision)
            if decision.is_approved:
                self._untaken[decision.candidate.pair] = NEVER_ASKED
        return decisions

    def approved(self, pair: str, side: Side, close: datetime) -> Decision | None:
        """Return the approved decision for a pair's candle, None when there is none."""
        decision = self._latched.get(pair)
        if decision is None or not decision.is_approved:
            return None
        candidate = decision.candidate
        is_same = candidate.side == side and candidate.close_time == close
        return decision if is_same else None

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
        if has_drifted(decision.plan, rate, self.settings.risk):
            drift = entry_drift_r(decision.plan, rate)
            limit = self.settings.risk.max_entry_drift_r
            return f"price drifted {drift:.2f} R from the signal, at most {limit:g} R is allowed"
        return None

    def not_taken(self, decision: Decision, reason: str) -> None:
        """Log why an approved signal did not become an order so far; the host may ask again."""
        self._untaken[decision.candidate.pair] = reason
        self.log.record(replace(decision, status=Status.NOT_TAKEN, reasons=(reason,)))

    def taken(self, decision: Decision) -> None:
        """Log that an approved signal becomes an order."""
        self._untaken.pop(decision.candidate.pair, None)
        self.log.record(decision)

    def mark_price(self, pair: str, now: datetime) -> float:
        """Return the last close of a pair at an instant, NaN when unknown."""
        analysed = self._pairs.get(pair)
        return analysed.price_at(instant_ns(now)) if analysed else float("nan")

    def _end_candle(self) -> None:
        """Log the approved signals of the last candle that the host never asked about."""
        for pair, reason in list(self._untaken.items()):
            if reason == NEVER_ASKED:
                said = SIGNALS_ONLY if self.settings.signals_only else NEVER_ASKED
                self.not_taken(self._latched[pair], said)
        self._forget_candle()

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
        pending = self._reserved.values()
        positions = (*holdings.positions, *(position for position, _ in pending))
        free = holdings.free_balance - sum(stake for _, stake in pending)
        self.account.mark(now, holdings.capital, free, positions)

    def _new_candidates(self, close_ns: int, pairs: Iterable[str]) -> list[Candidate]:
        found = []
        for pair in pairs:
            analysed = self._pairs.get(pair)
            if pair in self._judged or analysed is None or not analysed.has_candle(close_ns):
                continue
            self._judged.add(pair)
            candidate = analysed.candidate(close_ns)
            if candidate is not None:
                found.append(candidate)
        return sorted(found, key=lambda one: (-one.score, -one.coverage, one.pair))

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
        state = BreakerState(self.settings.breakers, self.account, self._btc_hour_move(candidate))
        spoken = verdicts(candidate, state, self._breakers)
        plan = trade_plan(
            candidate.side,
            candidate.price,
            candidate.atr,
            self.settings.risk,
            candidate.stop_factor,
        )
        size = self._size(candidate, plan, spoken)
        decision = self._decision(candidate, spoken, plan, size)
        if decision.is_approved:
            self._reserve(decision)
        return decision

    def _btc_hour_move(self, candidate: Candidate) -> float:
        """Percent, by BTC's candles in the candidate's own market; NaN where there are none."""
        name, close_ns = btc_beside(candidate.pair), instant_ns(candidate.close_time)
        seen = (held[name] for held in (self._pairs, self._watched) if name in held)
        moves = (btc.move_pct(close_ns, _HOUR_NS) for btc in seen)
        return next((move for move in moves if not isnan(move)), nan)

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

    def _reserve(self, decision: Decision) -> None:
        plan, size = decision.plan, decision.size
        if plan is None or size is None:
            return
        pair = decision.candidate.pair
        position = Position(
            pair=pair,
            side=plan.side,
            amount=size.amount,
            entry_price=plan.price,
            stop_price=plan.stop,
            mark_price=plan.price,
            is_pending=True,
        )
        self._reserved[pair] = (position, size.stake)
        self.account.reserve(position, size.stake)
