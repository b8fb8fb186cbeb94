"""Exchange flow: coins that leave exchanges are kept, coins that arrive may be sold."""

from math import isnan, nan

from external_layers.anchors import FULL, NEUTRAL, Curve, directional
from external_layers.evidence import NEVER, Evidence, unknown
from external_layers.onchain.hourly import hourly, past_hours, usual_size
from external_layers.onchain.inputs import FLOW_WINDOW_S, Coin
from external_layers.onchain.watch import HOUR_MS
from external_layers.onchain.words import money, span
from scalp_strategy.setting_groups.onchain import OnChainSettings


def sigmas_of(net: float, usual: float, settings: OnChainSettings) -> float:
    """Return a net flow in usual sizes, at least 0; NaN while the usual size is unknown.

    The usual size is never taken for less than the smallest transfer that counts: after hours of
    nothing a single one is not extreme.
    """
    return nan if isnan(usual) else abs(net) / max(usual, settings.min_transfer_usd)


def flow_score(net: float, usual: float, settings: OnChainSettings) -> float:
    """Return support for a long from an hour's net flow.

    By its size in standard deviations of the hours before: nothing (50) up to `flow_sigmas[0]`; a
    net outflow 70 from `flow_sigmas[1]` to 90 at `extreme_flow_sigma` and 100 at
    `full_flow_sigma`; a net inflow 40 to 20, beyond the extreme the mirror of the outflow, 10 to
    0. While the usual size is unknown, by dollars: 50 up to `min_transfer_usd`, the weakest anchor
    (70 or 40) from `whale_transfer_usd` on. Linear between.

    Parameters
    ----------
    net
        Dollars that left exchanges less those that came.
    usual
        Usual size of an hour's net flow, NaN = unknown.
    settings
        Anchors.
    """
    strong, weak = settings.inflow_scores
    far, farthest = settings.extreme_outflow_scores
    values = (
        (*settings.outflow_scores, far, farthest)
        if net >= 0
        else (weak, strong, FULL - far, FULL - farthest)
    )
    sigmas = sigmas_of(net, usual, settings)
    if isnan(sigmas):
        xs = (settings.min_transfer_usd, settings.whale_transfer_usd)
        return Curve(xs, (NEUTRAL, values[0]))(abs(net))
    extreme = settings.extreme_flow_sigma
    edges = (*settings.flow_sigmas, extreme, extreme, settings.full_flow_sigma)
    return Curve(edges, (NEUTRAL, *values))(sigmas)


def exchange_flow(coin: Coin, at_ms: int) -> Evidence:
    """Return what the net flow of the last hour says.

    A reading that is fresh wins over the transfers that we saw ourselves; without one it is unknown
    while nobody looks.
    """
    reading_ms = coin.netflow.newest_ms
    if coin.netflow.is_fresh(at_ms, coin.settings.netflow_max_age_s):
        net, usual = coin.netflow.values[reading_ms], _usual_reading(coin, reading_ms)
        return _evidence(coin, net, usual, reading_ms)
    if not coin.transfers.is_fresh(at_ms):
        return unknown(max(reading_ms, coin.transfers.newest_ms))
    moved_ms = coin.flows.newest_ms
    observed_ms = coin.transfers.newest_ms if moved_ms == NEVER else moved_ms
    usual = coin.hours.usual(at_ms, coin.transfers)
    return _evidence(coin, coin.flows.net, usual, observed_ms)


def _usual_reading(coin: Coin, reading_ms: int) -> float:
    """Return the usual size of the readings of the hours before one; its own hour has no part."""
    settings = coin.settings
    hours = past_hours(reading_ms + HOUR_MS, settings.flow_history_days)
    return usual_size(hourly(coin.netflow.values, hours).values(), settings.flow_min_hours)


def _evidence(coin: Coin, net: float, usual: float, observed_ms: int) -> Evidence:
    settings = coin.settings
    found = Evidence(*directional(flow_score(net, usual, settings)), "", observed_ms)
    if found.strength < settings.reason_min_points:
        return found
    whose = "" if coin.is_market else f"{coin.token} "
    way = "outflow" if net > 0 else "inflow"
    size = in_words(sigmas_of(net, usual, settings))
    return found._replace(reason=f"{whose}net {way} {money(net)} in {span(FLOW_WINDOW_S)}{size}")


def in_words(sigmas: float) -> str:
    """Return how unusual a flow is, empty while that is unknown.

    Examples
    --------
    >>> in_words(2.44), in_words(float("nan"))
    (' (2.4 sigma)', '')
    """
    return "" if isnan(sigmas) else f" ({sigmas:.1f} sigma)"
