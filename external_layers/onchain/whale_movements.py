"""Whale movements: who brings much to an exchange may sell, who takes much away keeps it."""

from external_layers.anchors import NEUTRAL, directional
from external_layers.evidence import Evidence, unknown
from external_layers.onchain.inputs import Coin
from external_layers.onchain.move_window import MoveWindow
from external_layers.onchain.notes import Move
from external_layers.onchain.words import ago, counted, money, span
from scalp_strategy.setting_groups.onchain import OnChainSettings


def whale_score(
    withdrawn: float, deposited: float, in_a_row: int, settings: OnChainSettings
) -> float:
    """Return support for a long from what whales moved.

    A deposit to an exchange 25, a withdrawal 80, several withdrawals since the last deposit 90;
    where there are both, their mean weighted by dollars.

    Parameters
    ----------
    withdrawn, deposited
        Dollars that left and came, at least 0.
    in_a_row
        Withdrawals since the last deposit.
    settings
        Anchors: `deposit_score`, `withdrawal_score`, `withdrawals_score`, `withdrawals_in_row`.

    Returns
    -------
    float
        0..100, 50 when nothing moved.
    """
    total = withdrawn + deposited
    if not total > 0:
        return NEUTRAL
    is_row = in_a_row >= settings.withdrawals_in_row
    bullish = settings.withdrawals_score if is_row else settings.withdrawal_score
    return (withdrawn * bullish + deposited * settings.deposit_score) / total


def whale_movements(coin: Coin, at_ms: int) -> Evidence:
    """Return what the whales of the window say; unknown while nobody looks."""
    window, settings = coin.whales, coin.settings
    if not coin.transfers.is_fresh(at_ms):
        return unknown(coin.transfers.newest_ms)
    newest = window.newest
    if newest is None:
        return Evidence(NEUTRAL, NEUTRAL, "", coin.transfers.newest_ms)
    score = whale_score(window.withdrawn, window.deposited, window.in_a_row, settings)
    return Evidence(*directional(score), _reason(coin, newest, at_ms), newest.observed_ms)


def _reason(coin: Coin, newest: Move, at_ms: int) -> str:
    if len(coin.whales) == 1:
        age = ago(at_ms - newest.observed_ms)
        way = "withdrawn from" if newest.dollars > 0 else "deposited to"
        return f"{money(newest.dollars)} {newest.token} {way} {newest.place} {age}"
    return f"{_counts(coin.whales, coin)} in {span(coin.settings.whale_window_s)}"


def _counts(window: MoveWindow, coin: Coin) -> str:
    kinds = (
        ("withdrawal", window.withdrawals, window.withdrawn),
        ("deposit", window.deposits, window.deposited),
    )
    of = "" if coin.is_market else f" of {coin.token}"
    return ", ".join(
        f"{counted(len(moves), noun)}{of} worth {money(dollars)}"
        for noun, moves, dollars in kinds
        if moves
    )
