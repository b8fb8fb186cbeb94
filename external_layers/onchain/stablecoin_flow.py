"""Stablecoin flow: dollars that arrive at exchanges will buy, 15 to 60 minutes from now."""

from math import fsum, isnan, nan
from typing import Final, NamedTuple

from external_layers.anchors import NEUTRAL, Curve, directional
from external_layers.evidence import NEVER, Evidence, unknown
from external_layers.onchain.exchange_flow import in_words, sigmas_of
from external_layers.onchain.hourly import Readings, hourly, past_hours, usual_size
from external_layers.onchain.inputs import DAY_MS, FLOW_WINDOW_S, Stablecoins
from external_layers.onchain.watch import HOUR_MS
from external_layers.onchain.words import money, span
from external_layers.sources.facts import MARKET
from scalp_strategy.setting_groups.onchain import OnChainSettings

SUPPLY_ONLY: Final = "supply_only"  # the flag of a score that knows no transfer
_MS_PER_S: Final = 1_000


def arrival_score(arrived: float, usual: float, settings: OnChainSettings) -> float:
    """Return support for a long from stablecoins that came to exchanges, net of those that left.

    By its size in standard deviations of the hours before: nothing (50) up to `flow_sigmas[0]`;
    arriving 75 from `flow_sigmas[1]` to 90 at `extreme_flow_sigma`, leaving 40 to 30. While the
    usual size is unknown, by dollars: 50 up to `min_transfer_usd`, the weakest anchor (75 or 40)
    from `whale_transfer_usd` on. Linear between.

    Parameters
    ----------
    arrived
        Dollars an hour, below 0 when more left.
    usual
        Usual size of an hour's net flow, NaN = unknown.
    settings
        Anchors.
    """
    strong, weak = settings.stablecoin_outflow_scores
    values = settings.stablecoin_inflow_scores if arrived >= 0 else (weak, strong)
    sigmas = sigmas_of(arrived, usual, settings)
    if isnan(sigmas):
        xs = (settings.min_transfer_usd, settings.whale_transfer_usd)
        return Curve(xs, (NEUTRAL, values[0]))(abs(arrived))
    return Curve((*settings.flow_sigmas, settings.extreme_flow_sigma), (NEUTRAL, *values))(sigmas)


def supply_score(made: float, settings: OnChainSettings) -> float:
    """Return support for a long from dollars made in a day, below 0 when burnt: a few points."""
    share = min(max(made / settings.supply_full_usd, -1.0), 1.0)
    return NEUTRAL + share * settings.supply_points


def stablecoin_flow(coins: Stablecoins, at_ms: int) -> Evidence:
    """Return what the stablecoins of the window say.

    Readings that are fresh win over the transfers that we saw ourselves. While nobody looks their
    supply stands in, flagged; without it, unknown.
    """
    found = _read(coins, at_ms) or _seen(coins, at_ms)
    return _evidence(found, coins.settings) if found else _from_supply(coins, at_ms)


class _Arrived(NamedTuple):
    """Dollars that came to exchanges less those that left in so many seconds."""

    dollars: float
    within_s: int
    usual: float
    observed_ms: int


def _read(coins: Stablecoins, at_ms: int) -> _Arrived | None:
    """Return what the readings of the last hour say, all tokens that have a fresh one together."""
    settings = coins.settings
    max_age_s = settings.netflow_max_age_s
    fresh = [one for one in coins.netflow.values() if one.is_fresh(at_ms, max_age_s)]
    if not fresh:
        return None
    newest_ms = max(one.newest_ms for one in fresh)
    hours = past_hours(newest_ms + HOUR_MS, settings.flow_history_days)
    told = [hourly(one.values, hours) for one in fresh]
    whole = set(told[0]).intersection(*told[1:])
    nets = [fsum(each[hour] for each in told) for hour in whole]
    left = fsum(one.values[one.newest_ms] for one in fresh)
    usual = usual_size(nets, settings.flow_min_hours)
    return _Arrived(-left, FLOW_WINDOW_S, usual, newest_ms)


def _seen(coins: Stablecoins, at_ms: int) -> _Arrived | None:
    """Return what the transfers of the window say, None while nobody looks."""
    if not coins.transfers.is_fresh(at_ms):
        return None
    moved_ms = coins.flows.newest_ms
    observed_ms = coins.transfers.newest_ms if moved_ms == NEVER else moved_ms
    usual = coins.hours.usual(at_ms, coins.transfers)
    return _Arrived(-coins.flows.net, coins.settings.stablecoin_window_s, usual, observed_ms)


def _evidence(arrived: _Arrived, settings: OnChainSettings) -> Evidence:
    dollars, within_s, usual, observed_ms = arrived
    an_hour = dollars * FLOW_WINDOW_S / within_s
    found = Evidence(*directional(arrival_score(an_hour, usual, settings)), "", observed_ms)
    if found.strength < settings.reason_min_points:
        return found
    way = "came to" if dollars > 0 else "left"
    size = in_words(sigmas_of(an_hour, usual, settings))
    net = f"{money(dollars)} of stablecoins net {way} exchanges"
    return found._replace(reason=f"{net} in {span(within_s)}{size}")


def _from_supply(coins: Stablecoins, at_ms: int) -> Evidence:
    settings = coins.settings
    made, observed_ms = _made_in_a_day(coins, at_ms)
    if isnan(made):
        return unknown(max(observed_ms, coins.transfers.newest_ms))
    found = Evidence(*directional(supply_score(made, settings)), "", observed_ms, (SUPPLY_ONLY,))
    if found.strength < settings.reason_min_points:
        return found
    way = "made" if made > 0 else "burnt"
    return found._replace(reason=f"{money(made)} of stablecoins {way} in a day")


def _made_in_a_day(coins: Stablecoins, at_ms: int) -> tuple[float, int]:
    """Return dollars made less burnt, and when the newest of it was true.

    By the supply of all stablecoins, else the sum over those whose supply is told, else by what
    issuers were seen to make.
    """
    told = {name: _change(one, coins.settings, at_ms) for name, one in coins.supply.items()}
    known = {name: one for name, one in told.items() if not isnan(one[0])}
    if MARKET in known:
        return known[MARKET]
    if known:
        return fsum(made for made, _ in known.values()), max(at for _, at in known.values())
    if len(coins.mints):
        return float(coins.mints.net), coins.mints.newest_ms
    return nan, max((at for _, at in told.values()), default=NEVER)


def _change(supply: Readings, settings: OnChainSettings, at_ms: int) -> tuple[float, int]:
    """Return the change of a supply a day up to its newest reading; NaN when that is too old."""
    newest_ms = supply.newest_ms
    max_age_ms = settings.supply_max_age_s * _MS_PER_S
    older = [each for each in supply.values if newest_ms - max_age_ms <= each <= newest_ms - DAY_MS]
    if not older or at_ms - newest_ms > max_age_ms:
        return nan, newest_ms
    before_ms = max(older)
    change = supply.values[newest_ms] - supply.values[before_ms]
    return change * DAY_MS / (newest_ms - before_ms), newest_ms
