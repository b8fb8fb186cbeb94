"""The state of the chains as JSON values, and back: what a restart must not forget."""

from typing import Any, Final

from external_layers.onchain.chains import Chains
from external_layers.onchain.hourly import HourlyNets, Readings
from external_layers.onchain.inputs import Coin, Stablecoins
from external_layers.onchain.move_window import MoveWindow
from external_layers.onchain.notes import (
    NOTES,
    Counted,
    Deal,
    Move,
    Note,
    Value,
    Waiting,
    kind_of,
    rows,
    typed,
)
from external_layers.onchain.watch import Watch
from external_layers.sources.facts import EXCHANGE_NETFLOW, STABLECOIN_SUPPLY
from scalp_strategy.errors import PayloadError

_KINDS: Final[dict[str, type[Note]]] = {kind.__name__.lower(): kind for kind in NOTES}
_TIMES: Final = 2  # values of a waiting note before its own


def saved_note(waiting: Waiting) -> list[Any]:
    """Return a note that waits: when it is known, its kind, its fields."""
    return [waiting.available_ms, waiting.kind, *waiting.note]


def read_note(row: Any) -> Waiting:
    """Return the note of a row made by `saved_note`.

    Raises
    ------
    PayloadError
        When it is no such row.
    """
    is_row = isinstance(row, list) and len(row) > _TIMES and type(row[0]) is int
    kind = _KINDS.get(row[1]) if is_row and isinstance(row[1], str) else None
    if kind is None:
        raise PayloadError(f"no note that waits: {str(row)[:120]}")
    note = typed(kind, row[_TIMES:])
    return Waiting(row[0], note.observed_ms, kind_of(note), note)


def saved_chains(chains: Chains) -> dict[str, Any]:
    """Return everything that was told of the chains."""
    everything, stablecoins = chains.everything, chains.stablecoins
    return {
        "transfers": _saved_watch(everything.transfers),
        "trades": _saved_watch(everything.trades),
        "stablecoins": _saved_stablecoins(stablecoins),
        "coins": {token: _saved_coin(coin) for token, coin in chains.coins.items()},
    }


def read_chains(chains: Chains, document: Any) -> None:
    """Fill new chains with what `saved_chains` returned.

    Raises
    ------
    PayloadError
        When it is no such document.
    """
    everything = chains.everything
    _read_watch(everything.transfers, _part(document, "transfers"))
    _read_watch(everything.trades, _part(document, "trades"))
    _read_stablecoins(chains.stablecoins, _part(document, "stablecoins"))
    for token, part in _part(document, "coins").items():
        _read_coin(chains.own(token), part)


def _saved_coin(coin: Coin) -> dict[str, Any]:
    return {
        "whales": _saved_moves(coin.whales),
        "flows": _saved_moves(coin.flows),
        "hours": list(coin.hours.nets.items()),
        "netflow": _saved_values(EXCHANGE_NETFLOW, coin.token, coin.netflow),
        "dex": [list(value) for value in coin.dex.values()],
        "deals": [[at, coin.token, wallet, side] for (wallet, side), at in coin.deals.items()],
        "transfers": _saved_watch(coin.transfers.own),
        "trades": _saved_watch(coin.trades.own),
    }


def _read_coin(coin: Coin, document: Any) -> None:
    _read_moves(coin.whales, rows(document, "whales"))
    _read_moves(coin.flows, rows(document, "flows"))
    _read_hours(coin.hours, rows(document, "hours"))
    for name in ("netflow", "dex"):
        for row in rows(document, name):
            coin.on_value(typed(Value, row))
    for row in rows(document, "deals"):
        coin.on_deal(typed(Deal, row))
    _read_watch(coin.transfers.own, _part(document, "transfers"))
    _read_watch(coin.trades.own, _part(document, "trades"))


def _saved_stablecoins(coins: Stablecoins) -> dict[str, Any]:
    series = ((EXCHANGE_NETFLOW, coins.netflow), (STABLECOIN_SUPPLY, coins.supply))
    values = (
        row
        for name, by_subject in series
        for subject, readings in by_subject.items()
        for row in _saved_values(name, subject, readings)
    )
    return {
        "flows": _saved_moves(coins.flows),
        "mints": _saved_moves(coins.mints),
        "hours": list(coins.hours.nets.items()),
        "values": list(values),
        "transfers": _saved_watch(coins.transfers.own),
    }


def _read_stablecoins(coins: Stablecoins, document: Any) -> None:
    _read_moves(coins.flows, rows(document, "flows"))
    _read_moves(coins.mints, rows(document, "mints"))
    _read_hours(coins.hours, rows(document, "hours"))
    for row in rows(document, "values"):
        coins.on_value(typed(Value, row))
    _read_watch(coins.transfers.own, _part(document, "transfers"))


def _saved_moves(window: MoveWindow) -> list[list[Any]]:
    return [list(move) for move in (*window.withdrawals, *window.deposits)]


def _read_moves(window: MoveWindow, saved: list[Any]) -> None:
    for row in saved:
        window.add(typed(Move, row))


def _read_hours(hours: HourlyNets, saved: list[Any]) -> None:
    for row in saved:
        hours.add(*typed(Counted, row))


def _saved_values(series: str, subject: str, readings: Readings) -> list[list[Any]]:
    return [[at, series, subject, value] for at, value in readings.values.items()]


def _saved_watch(watch: Watch) -> dict[str, Any]:
    return {"newest_ms": watch.newest_ms, "hours": list(watch.covered_ms.items())}


def _read_watch(watch: Watch, document: dict[str, Any]) -> None:
    newest_ms = document.get("newest_ms")
    if type(newest_ms) is not int:
        raise PayloadError(f"no time of a last look: {newest_ms!r}")
    watch.newest_ms = newest_ms
    for row in rows(document, "hours"):
        watch.cover(*typed(Counted, row))


def _part(document: Any, name: str) -> dict[str, Any]:
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise PayloadError(f"no part {name} of an on-chain state")
    return found
