"""Smart money: what wallets that are known to trade well buy and sell."""

from typing import Final

from external_layers.anchors import NEUTRAL, Curve, directional, two_sided
from external_layers.evidence import Evidence, unknown
from external_layers.onchain.inputs import Coin
from external_layers.onchain.words import counted, span
from external_layers.sources.facts import DEX_BUYS, DEX_SELLS
from scalp_strategy.setting_groups.onchain import OnChainSettings

DEX_ONLY: Final = "dex_only"  # the flag of a score that knows no smart wallet
_MS_PER_S: Final = 1_000


def smart_score(buyers: int, sellers: int, settings: OnChainSettings) -> float:
    """Return support for a long from the numbers of smart wallets that bought and that sold.

    By ``buyers - sellers``: one or two 70, `smart_many` (3) or more 90; below zero 30, and 20.

    Returns
    -------
    float
        0..100, 50 when as many bought as sold.
    """
    net = buyers - sellers
    if net == 0:
        return NEUTRAL
    few, many = settings.smart_buy_scores if net > 0 else settings.smart_sell_scores[::-1]
    return many if abs(net) >= settings.smart_many else few


def dex_scores(buys: float, sells: float, settings: OnChainSettings) -> tuple[float, float]:
    """Return support for long and short from trades on DEXes: a few points at most.

    50 when as many bought as sold, `dex_points` more where `dex_share` of the trades bought;
    linear between, mirrored for sells.
    """
    curve = Curve((0.5, settings.dex_share), (NEUTRAL, NEUTRAL + settings.dex_points))
    return two_sided(buys, sells, curve, curve)


def smart_money(coin: Coin, at_ms: int) -> Evidence:
    """Return what the smart wallets of the window did.

    While nobody watches them the trades on DEXes stand in, flagged; without those, unknown.
    """
    settings = coin.settings
    if not coin.trades.is_fresh(at_ms):
        return _from_dex(coin, at_ms)
    since = at_ms - settings.smart_window_s * _MS_PER_S
    recent = [(side, at) for (_, side), at in coin.deals.items() if at > since]
    buyers = sum(1 for side, _ in recent if side > 0)
    sellers = len(recent) - buyers
    observed_ms = max((at for _, at in recent), default=coin.trades.newest_ms)
    score = smart_score(buyers, sellers, settings)
    return Evidence(*directional(score), _reason(coin, buyers, sellers), observed_ms)


def _reason(coin: Coin, buyers: int, sellers: int) -> str:
    within = span(coin.settings.smart_window_s)
    if not buyers and not sellers:
        return ""
    if not sellers:
        return f"{counted(buyers, 'smart wallet')} bought {coin.token} in {within}"
    if not buyers:
        return f"{counted(sellers, 'smart wallet')} sold {coin.token} in {within}"
    return f"{counted(buyers, 'smart wallet')} bought {coin.token}, {sellers} sold in {within}"


def _from_dex(coin: Coin, at_ms: int) -> Evidence:
    settings = coin.settings
    bought, sold = coin.dex.get(DEX_BUYS), coin.dex.get(DEX_SELLS)
    if bought is None or sold is None:
        return unknown(coin.trades.newest_ms)
    observed_ms = min(bought.observed_ms, sold.observed_ms)
    is_fresh = at_ms - observed_ms <= settings.watched_max_age_s * _MS_PER_S
    trades = bought.value + sold.value
    if not is_fresh or trades < settings.dex_min_trades:
        return unknown(max(observed_ms, coin.trades.newest_ms))
    long, short = dex_scores(bought.value, sold.value, settings)
    found = Evidence(long, short, "", observed_ms, (DEX_ONLY,))
    if found.strength < settings.reason_min_points:
        return found
    side, share = ("bought", bought.value) if long > short else ("sold", sold.value)
    reason = f"{share / trades:.0%} of {trades:,.0f} DEX trades of {coin.token} {side}"
    return found._replace(reason=reason)
