"""The whole replay exchange without a socket: REST answers, faults, weights, control."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from external_layers.binance.messages import MarketKind
from external_layers.replay.answer import Answer
from external_layers.replay.book import Books
from external_layers.replay.derivatives import Derivatives
from external_layers.replay.faults import (
    DelayRule,
    ErrorRule,
    Faults,
    FlowRule,
    MalformedRule,
    MoveRule,
    ShiftRule,
    SilenceRule,
    WeightRule,
)
from external_layers.replay.flow_pressure import FlowPressure
from external_layers.replay.market import ReplayMarket
from external_layers.replay.minutes import DAY_MINUTES, MinuteSource
from external_layers.replay.moves import PriceMove
from external_layers.replay.outside import Asked, OutsideWorld
from external_layers.replay.recording import Recording
from external_layers.replay.requests import Endpoint, Params, RequestError
from external_layers.replay.rest_futures import FuturesRest
from external_layers.replay.rest_market import MarketData
from external_layers.replay.rest_spot import SpotRest
from external_layers.replay.weights import LIMITS, Weights, seconds_left
from scalp_strategy.errors import ConfigError

_UNKNOWN_PATH = -5000
_TOO_MANY = -1003
_INJECTED = -1000
_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"


class ReplayExchange:
    """Everything a client can ask for, on an injected clock and without I/O.

    Parameters
    ----------
    source
        The candles.
    now_ms
        Wall clock in milliseconds.
    shift_minutes
        Market time minus wall time at the start and after a reset.
    recording
        Frames to play in place of the generated ones, on the same clock.
    """

    def __init__(
        self,
        source: MinuteSource,
        now_ms: Callable[[], int],
        shift_minutes: int = 0,
        recording: Recording | None = None,
    ) -> None:
        self.recording = recording
        self.market = ReplayMarket(source, now_ms, shift_minutes)
        self.books = Books(self.market)
        self.derivatives = Derivatives(self.market)
        self.data: dict[MarketKind, MarketData] = {
            "spot": MarketData(self.market, self.books, "spot", recording),
            "futures": MarketData(self.market, self.books, "futures", recording),
        }
        self.futures = FuturesRest(self.data["futures"], self.derivatives)
        self.endpoints: dict[str, Endpoint] = {
            **SpotRest(self.data["spot"]).endpoints,
            **self.futures.endpoints,
        }
        self.outside = OutsideWorld(self.market)
        self.faults = Faults()
        self.weights = Weights()
        self.requests: Counter[str] = Counter()
        self.intervals: Counter[str] = Counter()
        self.used_weight: Counter[str] = Counter()
        self._first_shift = shift_minutes
        self._controls: dict[str, Callable[[Any], None]] = {
            "shift": self._set_shift,
            "errors": lambda body: self.faults.add_error(ErrorRule.model_validate(body)),
            "delay": lambda body: self.faults.add_delay(DelayRule.model_validate(body)),
            "malformed": lambda body: self.faults.add_malformed(MalformedRule.model_validate(body)),
            "silence": self._set_silence,
            "move": self._add_move,
            "flow": self._add_flow,
            "outside": self.outside.control,
            "weights": self._set_weights,
            "requests": self._forget_requests,
            "reset": self._reset,
        }

    def answer(self, path: str, params: Params) -> Answer:
        """Return the answer to a GET request."""
        if "interval" in params:
            self.intervals[f"{path} {params['interval']}"] += 1
        delay, injected = self.counted(path)
        if injected is not None:
            return injected
        endpoint = self.endpoints.get(path)
        if endpoint is None:
            message = f"Path {path}, Method GET is invalid"
            return Answer({"code": _UNKNOWN_PATH, "msg": message}, 404, delay_s=delay)
        return self._weighed(path, endpoint, params, delay)

    def outside_answer(self, asked: Asked) -> Answer:
        """Return what an outside provider answers; it costs no weight."""
        delay, injected = self.counted(asked.path)
        return injected or replace(self.outside.answer(asked), delay_s=delay)

    def counted(self, path: str) -> tuple[float, Answer | None]:
        """Count a request; return by how much its answer is late, and the error that it gets."""
        self.requests[path] += 1
        delay, error = self.faults.delay_for(path), self.faults.error_for(path)
        if error is None:
            return delay, None
        later = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        body = {"code": _INJECTED, "msg": "An injected error."}
        return delay, Answer(body, error.status, later, delay)

    def control(self, name: str, body: Any) -> Answer:
        """Return the answer to ``POST /control/<name>``: the new state, or 400 with a reason."""
        act = self._controls.get(name)
        if act is None:
            known = sorted([*self._controls, "disconnect"])
            return Answer({"error": f"unknown control {name!r}; known: {known}"}, 404)
        try:
            act(body)
        except (ValidationError, ConfigError, ValueError, re.error) as error:
            return Answer({"error": str(error)}, 400)
        return Answer(self.state())

    def state(self) -> dict[str, Any]:
        """Return what `/control/state` shows."""
        shift = self.market.shift_minutes - self._first_shift
        moves = self.market.moves
        return {
            "now": self.market.now_ms(),
            "seed": self.market.source.seed,
            "symbols": list(self.market.source.symbols),
            "synthetic_below": self.market.source.synthetic_below,
            "market_minus_wall_minutes": self.market.shift_minutes,
            "shift": {"days": shift // DAY_MINUTES, "minutes": shift % DAY_MINUTES},
            "moves": [
                {"symbol": move.symbol, "factor": move.factor, "at": move.at_ms}
                | {"minutes": move.minutes}
                for move in moves
            ],
            "flows": [
                {"symbol": each.symbol, "buy_share": each.buy_share, "at": each.at_ms}
                | {"minutes": each.minutes}
                for each in self.market.pressures
            ],
            "weights": {"enforce": self.weights.is_enforced} | self.weights.limits,
            "outside": self.outside.state(),
            **self.faults.state(),
        }

    def request_counts(self) -> dict[str, Any]:
        """Return requests and weight per path, and requests per candle length, since a reset."""
        return {
            "requests": dict(self.requests),
            "weight": dict(self.used_weight),
            "intervals": dict(self.intervals),
        }

    def _weighed(self, path: str, endpoint: Endpoint, params: Params, delay: float) -> Answer:
        kind: MarketKind = "spot" if path.startswith("/api/") else "futures"
        now = self.market.now_ms()
        weight = endpoint.weight(params)
        headers = {_WEIGHT_HEADER: str(self.weights.add(kind, weight, now))}
        self.used_weight[path] += weight
        if self.weights.is_over(kind):
            headers["Retry-After"] = str(seconds_left(now))
            message = f"Too many requests; limit is {self.weights.limits[kind]} a minute."
            return Answer({"code": _TOO_MANY, "msg": message}, 429, headers, delay)
        try:
            return Answer(endpoint.handler(params), 200, headers, delay)
        except RequestError as error:
            return Answer({"code": error.code, "msg": error.message}, 400, headers, delay)

    def _set_shift(self, body: Any) -> None:
        rule = ShiftRule.model_validate(body)
        self.market.set_shift(self._first_shift + rule.days * DAY_MINUTES + rule.minutes)

    def _set_silence(self, body: Any) -> None:
        self.faults.add_silence(SilenceRule.model_validate(body), self.market.now_ms())

    def _add_move(self, body: Any) -> None:
        rule = MoveRule.model_validate(body)
        at_ms = self._begin(rule)
        self.market.add_move(PriceMove(rule.symbol, rule.factor, at_ms, rule.minutes))

    def _add_flow(self, body: Any) -> None:
        rule = FlowRule.model_validate(body)
        at_ms = self._begin(rule)
        self.market.add_pressure(FlowPressure(rule.symbol, rule.buy_share, at_ms, rule.minutes))

    def _begin(self, rule: MoveRule | FlowRule) -> int:
        """Return from when on a rule holds, for a symbol that must be on offer."""
        if rule.symbol not in self.market.source.symbols:
            raise ValueError(f"unknown symbol {rule.symbol!r}")
        return self.market.now_ms() if rule.at is None else rule.at

    def _set_weights(self, body: Any) -> None:
        rule = WeightRule.model_validate(body)
        self.weights.is_enforced = rule.enforce
        self.weights.limits = rule.limits()

    def _forget_requests(self, body: Any) -> None:  # noqa: ARG002
        self.requests.clear()
        self.intervals.clear()
        self.used_weight.clear()

    def _reset(self, body: Any) -> None:
        self.faults.clear()
        self.outside.clear()
        self.market.clear_moves()
        self.market.clear_pressures()
        self.market.shift_minutes = self._first_shift
        self.weights = Weights(limits=dict(LIMITS))
        self._forget_requests(body)
