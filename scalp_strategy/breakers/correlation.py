"""Many positions that move as one are one large position."""

from dataclasses import dataclass
from math import isnan

from scalp_strategy.breakers.base import BreakerState
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.signals import Candidate, Verdict


@dataclass(frozen=True)
class Correlation:
    """Block a pair that moves with what is already held on the same side.

    Above `correlation_block` with one position blocks. A candidate's cluster is made of the
    positions, open or pending, whose correlation with the candidate itself is above
    `correlation_cluster`; `correlation_cluster_max` of them block. An unknown correlation counts
    as one of the cluster and does not block by itself.
    """

    name: str = "correlation"

    def check(self, candidate: Candidate, state: BreakerState) -> Verdict:
        """Return a veto when the candidate adds to a position that exists."""
        beside = {
            position.pair: state.chart.correlation(position.pair)
            for position in state.account.positions
            if position.side == candidate.side and position.pair != candidate.pair
        }
        blocks = [*_too_close(beside, state.settings), *_full_cluster(beside, state.settings)]
        if blocks:
            reason = f"correlation block on {candidate.pair}: {'; '.join(blocks)}"
            return Verdict(self.name, blocks=True, reason=reason)
        return Verdict(self.name, reason=_unknown(beside))


def _too_close(beside: dict[str, float], rules: BreakerSettings) -> list[str]:
    return [
        f"{value:.2f} with open {pair}"
        for pair, value in beside.items()
        if value > rules.correlation_block
    ]


def _full_cluster(beside: dict[str, float], rules: BreakerSettings) -> list[str]:
    cluster = {
        pair: value
        for pair, value in beside.items()
        if isnan(value) or value > rules.correlation_cluster
    }
    if len(cluster) < rules.correlation_cluster_max:
        return []
    members = ", ".join(
        f"{pair} {'unknown' if isnan(value) else f'{value:.2f}'}" for pair, value in cluster.items()
    )
    count = f"{len(cluster)}/{rules.correlation_cluster_max}"
    return [f"its cluster already has {count} positions of this side ({members})"]


def _unknown(beside: dict[str, float]) -> str:
    missing = [pair for pair, value in beside.items() if isnan(value)]
    if not missing:
        return ""
    return f"unknown: the correlation with {', '.join(missing)}; it counts as of one cluster"
