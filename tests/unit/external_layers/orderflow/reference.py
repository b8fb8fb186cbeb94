"""The order-flow scores computed from scratch, from the whole list of events: plain and slow.

Nothing is shared with the engine but the settings and the message types. Windows are recomputed
from all trades every time, scores come from `np.interp`.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from external_layers.binance.messages import (
    AggTrade,
    DepthSnapshot,
    DepthUpdate,
    Liquidation,
    MarkPrice,
    OpenInterest,
)
from scalp_strategy.setting_groups.orderflow import OrderFlowSettings
from tests.unit.external_layers.orderflow.messages import Event, PlainBook

Pair = tuple[float, float]
UNKNOWN: Pair = (math.nan, math.nan)


@dataclass
class _Trade:
    time_ms: int
    price: float
    units: int
    is_buy: bool
    is_large: bool
    is_newest: bool


@dataclass
class _Look:
    time_ms: int
    mid: float
    bid_wall: float | None
    ask_wall: float | None
    depth: float
    mean_depth: float


@dataclass
class Reference:
    """Keeps every event; `scores` starts from nothing each time."""

    settings: OrderFlowSettings
    trades: list[_Trade] = field(default_factory=list)
    forced: list[_Trade] = field(default_factory=list)
    holes: list[list[float]] = field(default_factory=lambda: [[-math.inf, math.inf]])
    interest: list[tuple[int, float, float]] = field(default_factory=list)
    looks: list[_Look | None] = field(default_factory=list)
    depth: DepthSnapshot | None = None
    mark: MarkPrice | None = None
    edge_ms: int = 0
    newest_ms: int = -1
    late: int = 0
    book: PlainBook = field(default_factory=PlainBook)

    def take(self, event: Event) -> None:
        if isinstance(event, AggTrade):
            self._take_trade(event)
        elif isinstance(event, DepthSnapshot):
            self.depth = event
        elif isinstance(event, DepthUpdate):
            self._look(event.event_ms)
        elif isinstance(event, MarkPrice):
            self.mark = event
        elif isinstance(event, OpenInterest):
            self._take_interest(event)
        elif isinstance(event, Liquidation):
            units = round(event.quantity * 1e8)
            self.forced.append(_Trade(event.time_ms, event.price, units, event.is_buy, False, True))
        elif event == "gap":
            if self.holes[-1][1] != math.inf:
                self.holes.append([self.newest_ms, math.inf])
        elif event == "reset":
            self.looks.append(None)

    # ---- trades

    def _inside(self, trades: list[_Trade], at_ms: int) -> list[_Trade]:
        step = self.settings.bucket_ms
        first = at_ms // step - math.ceil(self.settings.window_s * 1_000 / step)
        return [one for one in trades if one.time_ms // step > first]

    def _take_trade(self, event: AggTrade) -> None:
        settings = self.settings
        self.edge_ms = max(self.edge_ms, event.time_ms)
        before = self._inside(self.trades, self.edge_ms)
        units = round(event.quantity * 1e8)
        one = _Trade(event.time_ms, event.price, units, not event.is_buyer_maker, False, False)
        if not self._inside([one], self.edge_ms):
            self.late += 1
            return
        if len(before) >= settings.min_trades:
            total = sum(each.units for each in before)
            one.is_large = units * len(before) > settings.large_trade_ratio * total
        one.is_newest = event.time_ms >= self.newest_ms
        if one.is_newest:
            self.newest_ms = event.time_ms
            if self.holes[-1][1] == math.inf:
                self.holes[-1][1] = event.time_ms
        self.trades.append(one)

    def _share(self, at_ms: int) -> float:
        window_ms = self.settings.window_s * 1_000
        start = at_ms - window_ms
        lost = sum(max(0.0, min(to, at_ms) - max(since, start)) for since, to in self.holes)
        return 1.0 - lost / window_ms

    def _is_flow_known(self, at_ms: int) -> bool:
        enough = len(self._inside(self.trades, at_ms)) >= self.settings.min_trades
        return enough and self._share(at_ms) >= self.settings.min_window_share

    def _trade_flow(self, at_ms: int) -> Pair:
        settings = self.settings
        inside = self._inside(self.trades, at_ms)
        share = self._share(at_ms)
        bought = sum(one.units for one in inside if one.is_buy)
        total = sum(one.units for one in inside)
        if share < settings.min_window_share or len(inside) < settings.min_trades or not total:
            return UNKNOWN
        low, high = settings.flow_pressure
        weak, strong, most = settings.flow_scores
        xs = [0, 1 - high, 1 - low, 0.5, low, high, 1]
        ys = [100 - most, 100 - strong, 100 - weak, 50, weak, strong, most]
        base = float(np.interp(bought / total, xs, ys))
        step = settings.bucket_ms
        recent_from = at_ms // step - math.ceil(settings.velocity_s * 1_000 / step)
        recent = sum(one.time_ms // step > recent_from for one in inside)
        pace = recent / settings.velocity_s / (len(inside) / (settings.window_s * share))
        boost = np.interp(pace, settings.velocity_ratios, (0.0, settings.velocity_boost))
        long = float(np.clip(50 + (base - 50) * (1 + boost), 0, 100))
        return long, 100 - long

    def _large_orders(self, at_ms: int) -> Pair:
        settings = self.settings
        inside = self._inside(self.trades, at_ms)
        if self._share(at_ms) < settings.min_window_share or len(inside) < settings.min_trades:
            return UNKNOWN
        buys = [one.units for one in inside if one.is_large and one.is_buy]
        sells = [one.units for one in inside if one.is_large and not one.is_buy]
        if not sum(buys) + sum(sells):
            return 50.0, 50.0
        net = (sum(buys) - sum(sells)) / (sum(buys) + sum(sells))
        count = len(buys) if net >= 0 else len(sells)
        many, very_many = settings.large_trade_many
        points = np.interp(count, [0, many, very_many], [0, *np.subtract(self._large_ys(), 50)])
        return 50 + float(net * points), 50 - float(net * points)

    def _large_ys(self) -> Pair:
        return self.settings.large_trade_scores

    # ---- book

    def _look(self, time_ms: int) -> None:
        last = self.looks[-1] if self.looks else None
        if last and time_ms - last.time_ms < self.settings.book_interval_ms:
            return
        settings, book = self.settings, self.book
        mid = (book.best_bid + book.best_ask) / 2
        if not (0 < book.best_bid <= book.best_ask):
            self.looks.append(None)
            return
        reach = mid * settings.wall_distance_pct / 100
        near = [
            (price, held, side)
            for side, levels in (("bid", book.bids), ("ask", book.asks))
            for price, held in levels.items()
            if abs(price - mid) <= reach and held > 0
        ]
        if not near:
            self.looks.append(None)
            return
        mean = sum(held for _, held, _ in near) / len(near)
        large = [(price, side) for price, held, side in near if held > settings.wall_ratio * mean]
        thin = mid * settings.thin_distance_pct / 100
        depth = sum(held for price, held, _ in near if abs(price - mid) <= thin)
        self.looks.append(
            _Look(
                time_ms,
                mid,
                max((price for price, side in large if side == "bid"), default=None),
                min((price for price, side in large if side == "ask"), default=None),
                depth,
                math.nan,
            )
        )

    def _mean_depth(self) -> float:
        mean, heard_s = math.nan, 0.0
        seen = [one for one in self.looks if one]
        if seen:
            mean = seen[0].depth
        for before, after in pairwise(self.looks):
            if after and before:
                passed_s = (after.time_ms - before.time_ms) / 1_000
                heard_s += passed_s
                keep = math.exp(-passed_s / self.settings.thin_mean_s)
                mean = keep * mean + (1 - keep) * after.depth
        return mean if heard_s >= self.settings.thin_warmup_s else math.nan

    def _book_imbalance(self, at_ms: int) -> Pair:
        settings = self.settings
        if self.depth is None:
            return UNKNOWN
        bids = sum(held for _, held in self.depth.bids[: settings.imbalance_levels])
        asks = sum(held for _, held in self.depth.asks[: settings.imbalance_levels])
        if not bids + asks or not self.depth.bids or not self.depth.asks:
            return UNKNOWN
        low, high = settings.imbalance_neutral
        pressure, (weak, most) = settings.imbalance_pressure, settings.imbalance_scores
        xs = [0, 1 - pressure, low, high, pressure, 1]
        ys = [100 - most, 100 - weak, 50, 50, weak, most]
        long = float(np.interp(bids / (bids + asks), xs, ys))
        look = self.looks[-1] if self.looks else None
        if look and at_ms - look.time_ms <= settings.modifier_max_age_s * 1_000:
            long = self._modified(long, look)
        return long, 100 - long

    def _modified(self, long: float, look: _Look) -> float:
        settings = self.settings
        mean = self._mean_depth()
        if mean > 0 and long != 50:
            starts, full = settings.thin_ratios
            bonus = np.interp(look.depth / mean, [full, starts], [settings.thin_bonus, 0])
            long = float(np.clip(long + math.copysign(bonus, long - 50), 0, 100))
        reach = look.mid * settings.wall_distance_pct / 100
        for wall, sign in ((look.bid_wall, 1), (look.ask_wall, -1)):
            if wall is not None:
                long += sign * settings.wall_bonus * (1 - abs(wall - look.mid) / reach)
        return float(np.clip(long, 0, 100))

    # ---- futures

    def _funding(self) -> Pair:
        if self.mark is None:
            return UNKNOWN
        settings = self.settings
        edge, crowd = settings.neutral_funding_pct, settings.crowded_funding_pct
        crowded, against = settings.crowded_scores
        rate = self.mark.funding_rate * 100
        xs = [-crowd, -edge, edge, crowd]
        return (
            float(np.interp(rate, xs, [against, 50, 50, crowded])),
            float(np.interp(rate, xs, [crowded, 50, 50, against])),
        )

    def _take_interest(self, event: OpenInterest) -> None:
        if not self.interest or event.time_ms > self.interest[-1][0]:
            newest = [one for one in self.trades if one.is_newest]
            oldest_ms = event.time_ms - self.settings.price_max_age_s * 1_000
            is_fresh = newest and newest[-1].time_ms >= oldest_ms
            price = newest[-1].price if is_fresh else math.nan
            self.interest.append((event.time_ms, event.quantity, price))

    def _open_interest(self, at_ms: int) -> Pair:
        settings = self.settings
        window_ms = settings.open_interest_window_s * 1_000
        if not self.interest:
            return UNKNOWN
        newest_ms, quantity, price = self.interest[-1]
        older = [one for one in self.interest if one[0] <= newest_ms - window_ms]
        if not older or older[-1][0] < newest_ms - window_ms * (1 + settings.open_interest_slack):
            return UNKNOWN
        rise = (quantity / older[-1][1] - 1) * 100
        move = (price / older[-1][2] - 1) * 100
        if math.isnan(rise * move):
            return UNKNOWN
        entering = np.interp(rise, settings.open_interest_move_pct, [0, 1])
        moving = np.interp(abs(move), settings.open_interest_price_pct, [0, 1])
        points = (settings.open_interest_score - 50) * entering * moving * np.sign(move)
        return self._with_liquidations(50 + float(points), at_ms)

    def _with_liquidations(self, long: float, at_ms: int) -> Pair:
        settings = self.settings
        short, floor, points = 100 - long, 50.0, 0.0
        nearness = self._nearness(at_ms)
        if nearness is not None:
            floor = float(np.interp(nearness, [0, 1], settings.liquidation_scores))
        inside = self._inside(self.forced, at_ms) if self._is_flow_known(at_ms) else []
        total = sum(one.units for one in inside)
        if total:
            traded = sum(one.units for one in self._inside(self.trades, at_ms))
            needed = settings.liquidation_flow_share * traded
            force = min(1.0, total / needed) if needed else 1.0
            floor = max(floor, 50 + force * (settings.liquidation_scores[0] - 50))
            net = sum(one.units if one.is_buy else -one.units for one in inside) / total
            points = settings.liquidation_bonus * force * net
        long, short = max(long, floor) + points, max(short, floor) - points
        return float(np.clip(long, 0, 100)), float(np.clip(short, 0, 100))

    def _nearness(self, at_ms: int) -> float | None:
        settings = self.settings
        step = math.log1p(settings.liquidation_bucket_pct / 100)
        slice_ms = settings.liquidation_slice_s * 1_000
        slices = math.ceil(settings.liquidation_memory_s / settings.liquidation_slice_s)
        made = [one for one in self.trades if one.is_newest]
        if not made:
            return None
        at = [math.floor(math.log(one.price) / step) for one in made]
        lowest = np.minimum.accumulate(at[::-1])[::-1]
        highest = np.maximum.accumulate(at[::-1])[::-1]
        reach = math.log1p(settings.liquidation_near_pct / 100) / step
        found: list[float] = []
        for sign in (-1, 1):
            held: dict[int, int] = {}
            for each, one in enumerate(made):
                weight = slices - (at_ms // slice_ms - one.time_ms // slice_ms)
                for leverage in settings.liquidation_leverages:
                    move = 1 / leverage - settings.liquidation_margin_pct / 100
                    bucket = at[each] + round(math.log1p(sign * move) / step)
                    alive = lowest[each] > bucket if sign < 0 else highest[each] < bucket
                    if weight > 0 and alive:
                        held[bucket] = held.get(bucket, 0) + weight * one.units
            needed = settings.liquidation_cluster_share * sum(held.values())
            away = [
                abs(bucket - at[-1])
                for bucket, units in held.items()
                if units >= needed and units and abs(bucket - at[-1]) <= reach
            ]
            found += [1 - min(away) / reach] if away else []
        return max(found, default=None)

    def scores(self, at_ms: int) -> dict[str, Pair]:
        """Return the scores at an instant at or after every event so far."""
        self.edge_ms = max(self.edge_ms, at_ms)
        return {
            "book_imbalance": self._book_imbalance(at_ms),
            "trade_flow": self._trade_flow(at_ms),
            "large_orders": self._large_orders(at_ms),
            "funding_rate": self._funding(),
            "open_interest": self._open_interest(at_ms),
        }
