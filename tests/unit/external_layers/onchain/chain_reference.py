"""The on-chain scores computed from scratch, from the whole list of facts: plain and slow.

Nothing is shared with the engine but the settings and the facts. Every answer goes over all facts
that were available, scores come from `np.interp`.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from external_layers.sources.facts import (
    DEX_BUYS,
    DEX_SELLS,
    EXCHANGE_NETFLOW,
    MARKET,
    STABLECOIN_SUPPLY,
    Fact,
    Reading,
    Transfer,
    WalletTrade,
    Watched,
)
from scalp_strategy.setting_groups.onchain import OnChainSettings
from tests.unit.external_layers.onchain.chain_facts import DAY_MS, HOUR_MS

Pair = tuple[float, float]
STABLE = "all stablecoins"
UNKNOWN: Pair = (math.nan, math.nan)


class ChainReference:
    """Answers from nothing but the facts; `at` is the instant."""

    def __init__(self, facts: Iterable[Fact], settings: OnChainSettings, at: int) -> None:
        self.at, self.settings = at, settings
        self.known = [one for one in facts if one.available_at_ms <= at]
        self.stables = set(settings.stablecoins)
        counted = [one for one in self.known if isinstance(one, Transfer)]
        self.transfers = [one for one in counted if one.amount_usd >= settings.min_transfer_usd]
        self.looks = [one for one in self.known if isinstance(one, Watched)]

    def scores(self, token: str) -> dict[str, Pair]:
        """Return long and short of every component of a token, or of MARKET."""
        if token == MARKET:
            return {"stablecoin_flow": self._stablecoins()}
        return {
            "whale_movements": self._whales(token),
            "exchange_flow": self._flow(token),
            "smart_money": self._smart(token),
        }

    # ------------------------------------------------------------------------------------- facts

    def _is_for(self, token: str, subject: str) -> bool:
        if token == STABLE:
            return subject in self.stables
        return subject not in self.stables if token == MARKET else subject == token

    def _moves(self, token: str, window_ms: int, least: float) -> list[tuple[int, int]]:
        """Return when, and dollars that left (above 0) or came (below)."""
        found = []
        for one in self.transfers:
            issued = "issuer" in (one.origin.kind, one.target.kind)
            if not self._is_for(token, one.token) or (issued and token != STABLE):
                continue
            sign = (one.origin.kind == "exchange") - (one.target.kind == "exchange")
            is_in = self.at - window_ms < one.observed_at_ms
            if sign and is_in and round(one.amount_usd) >= least:
                found.append((one.observed_at_ms, sign * round(one.amount_usd)))
        return found

    def _looked(self, token: str, feed: str) -> list[list[int]]:
        """Return when somebody looked at it, and at everything, in the order of availability."""
        looks = sorted(
            (one.available_at_ms, one.observed_at_ms, one.subject)
            for one in self.looks
            if one.feed == feed
        )
        own = [at for _, at, who in looks if who != MARKET and self._is_for(token, who)]
        return [own, [at for _, at, who in looks if who == MARKET]]

    def _is_watched(self, token: str, feed: str = "transfers") -> bool:
        newest = max((at for each in self._looked(token, feed) for at in each), default=-math.inf)
        return self.at - newest <= self.settings.watched_max_age_s * 1_000

    def _known_hours(self, token: str) -> set[int]:
        hours: set[int] = set()
        for looks in self._looked(token, "transfers"):
            covered: dict[int, int] = {}
            last = None
            for at in looks:
                if last is not None and at <= last:
                    continue
                if last is not None and at - last <= self.settings.watched_max_age_s * 1_000:
                    for hour in range(last // HOUR_MS, at // HOUR_MS + 1):
                        start, end = max(last, hour * HOUR_MS), min(at, (hour + 1) * HOUR_MS)
                        covered[hour] = covered.get(hour, 0) + max(0, end - start)
                last = at
            needed = self.settings.flow_hour_share * HOUR_MS
            hours |= {hour for hour, ms in covered.items() if ms >= needed}
        return hours

    # ------------------------------------------------------------------------------------ scores

    def _whales(self, token: str) -> Pair:
        settings = self.settings
        if not self._is_watched(token):
            return UNKNOWN
        moves = self._moves(token, settings.whale_window_s * 1_000, settings.whale_transfer_usd)
        if not moves:
            return 50.0, 50.0
        last = max((at for at, usd in moves if usd < 0), default=-1)
        row = sum(1 for at, usd in moves if usd > 0 and at > last)
        many = row >= settings.withdrawals_in_row
        out = settings.withdrawals_score if many else settings.withdrawal_score
        weights = [abs(usd) for _, usd in moves]
        values = [out if usd > 0 else settings.deposit_score for _, usd in moves]
        return _pair(float(np.average(values, weights=weights)))

    def _usual(self, flows: Sequence[float]) -> float:
        if len(flows) < self.settings.flow_min_hours:
            return math.nan
        return float(np.sqrt(np.mean(np.square(np.array(flows, dtype=float)))))

    def _past(self, at: int) -> range:
        last = at // HOUR_MS - 1
        return range(last - 24 * self.settings.flow_history_days, last)

    def _own_usual(self, token: str) -> float:
        nets: dict[int, int] = {}
        for at, usd in self._moves(token, 99 * DAY_MS, 0.0):
            nets[at // HOUR_MS] = nets.get(at // HOUR_MS, 0) + usd
        hours = self._known_hours(token) & set(self._past(self.at))
        return self._usual([nets.get(hour, 0) for hour in hours])

    def _readings(self, series: str, subject: str) -> dict[int, float]:
        told = [one for one in self.known if isinstance(one, Reading) and one.series == series]
        told.sort(key=lambda one: one.available_at_ms)
        return {one.observed_at_ms: one.value for one in told if one.subject == subject}

    def _fresh_flows(self, subject: str) -> dict[int, float]:
        values = self._readings(EXCHANGE_NETFLOW, subject)
        is_fresh = values and self.at - max(values) <= self.settings.netflow_max_age_s * 1_000
        return values if is_fresh else {}

    def _flow(self, token: str) -> Pair:
        settings = self.settings
        values = self._fresh_flows(token)
        if values:
            newest = max(values)
            hours = self._past(newest + HOUR_MS)
            by_hour = {at // HOUR_MS: values[at] for at in sorted(values)}
            past = [value for hour, value in by_hour.items() if hour in hours]
            return self._flow_scores(values[newest], self._usual(past))
        if not self._is_watched(token):
            return UNKNOWN
        net = sum(usd for _, usd in self._moves(token, HOUR_MS, settings.min_transfer_usd))
        return self._flow_scores(net, self._own_usual(token))

    def _flow_scores(self, net: float, usual: float) -> Pair:
        settings = self.settings
        weak_in, strong_in = settings.inflow_scores[::-1]
        far = settings.extreme_outflow_scores
        ends = settings.outflow_scores if net >= 0 else (weak_in, strong_in)
        if math.isnan(usual):
            return self._without_history(net, ends[0])
        sigmas = abs(net) / max(usual, settings.min_transfer_usd)
        if sigmas >= settings.extreme_flow_sigma:
            edges = (settings.extreme_flow_sigma, settings.full_flow_sigma)
            values = far if net >= 0 else (100 - far[0], 100 - far[1])
            return _pair(float(np.interp(sigmas, edges, values)))
        edges3 = (*settings.flow_sigmas, settings.extreme_flow_sigma)
        return _pair(float(np.interp(sigmas, edges3, (50.0, *ends))))

    def _without_history(self, net: float, weakest: float) -> Pair:
        edges = (self.settings.min_transfer_usd, self.settings.whale_transfer_usd)
        return _pair(float(np.interp(abs(net), edges, (50.0, weakest))))

    def _stablecoins(self) -> Pair:
        settings = self.settings
        fresh = [values for each in sorted(self.stables) if (values := self._fresh_flows(each))]
        if fresh:
            hours = self._past(max(max(values) for values in fresh) + HOUR_MS)
            told = [{at // HOUR_MS: each[at] for at in sorted(each)} for each in fresh]
            whole = [hour for hour in told[0] if hour in hours and all(hour in t for t in told)]
            usual = self._usual([sum(each[hour] for each in told) for hour in whole])
            return self._arrival(-sum(values[max(values)] for values in fresh), usual)
        if not self._is_watched(STABLE):
            return self._supply()
        moves = self._moves(STABLE, settings.stablecoin_window_s * 1_000, 0.0)
        arrived = -sum(usd for _, usd in moves) * 3_600 / settings.stablecoin_window_s
        return self._arrival(arrived, self._own_usual(STABLE))

    def _arrival(self, arrived: float, usual: float) -> Pair:
        settings = self.settings
        strong, weak = settings.stablecoin_outflow_scores
        ends = settings.stablecoin_inflow_scores if arrived >= 0 else (weak, strong)
        if math.isnan(usual):
            return self._without_history(arrived, ends[0])
        sigmas = abs(arrived) / max(usual, settings.min_transfer_usd)
        edges = (*settings.flow_sigmas, settings.extreme_flow_sigma)
        return _pair(float(np.interp(sigmas, edges, (50.0, *ends))))

    def _supply(self) -> Pair:
        settings = self.settings
        max_age = settings.supply_max_age_s * 1_000
        changes = []
        for subject in sorted({one.subject for one in self.known if isinstance(one, Reading)}):
            values = self._readings(STABLECOIN_SUPPLY, subject)
            newest = max(values, default=0)
            older = [at for at in values if newest - max_age <= at <= newest - DAY_MS]
            if values and older and self.at - newest <= max_age:
                change = values[newest] - values[max(older)]
                changes.append(change * DAY_MS / (newest - max(older)))
        minted = self._minted()
        if not changes and not minted:
            return UNKNOWN
        made = sum(changes) if changes else sum(minted)
        share = float(np.clip(made / settings.supply_full_usd, -1, 1))
        return _pair(50.0 + share * settings.supply_points)

    def _minted(self) -> list[int]:
        found = []
        for one in self.transfers:
            kinds = (one.origin.kind, one.target.kind)
            sign = (kinds[0] == "issuer") - (kinds[1] == "issuer")
            is_in = self.at - DAY_MS < one.observed_at_ms
            if one.token in self.stables and sign and "exchange" not in kinds and is_in:
                found.append(sign * round(one.amount_usd))
        return found

    def _smart(self, token: str) -> Pair:
        settings = self.settings
        if not self._is_watched(token, "smart_trades"):
            return self._dex(token)
        since = self.at - settings.smart_window_s * 1_000
        deals = [one for one in self.known if isinstance(one, WalletTrade) and one.token == token]
        recent = [one for one in deals if one.observed_at_ms > since]
        buyers, sellers = (
            len({one.wallet for one in recent if one.side == side}) for side in ("buy", "sell")
        )
        net = buyers - sellers
        if net == 0:
            return 50.0, 50.0
        few, many = settings.smart_buy_scores if net > 0 else settings.smart_sell_scores[::-1]
        return _pair(many if abs(net) >= settings.smart_many else few)

    def _dex(self, token: str) -> Pair:
        settings = self.settings
        bought, sold = (self._readings(series, token) for series in (DEX_BUYS, DEX_SELLS))
        if not bought or not sold:
            return UNKNOWN
        age = self.at - min(max(bought), max(sold))
        buys, sells = bought[max(bought)], sold[max(sold)]
        total = buys + sells
        if age > settings.watched_max_age_s * 1_000 or total < settings.dex_min_trades:
            return UNKNOWN
        share = max(buys, sells) / total
        points = np.interp(share, (0.5, settings.dex_share), (0.0, settings.dex_points))
        return _pair(50.0 + float(points) * (1 if buys >= sells else -1))


def _pair(long: float) -> Pair:
    return long, 100.0 - long
