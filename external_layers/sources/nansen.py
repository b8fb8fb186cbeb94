"""Nansen: trades on decentralised exchanges of wallets that are known to trade well.

The shapes are those of https://docs.nansen.ai/api/smart-money/dex-trades.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from external_layers.sources import parties
from external_layers.sources.facts import Fact, WalletTrade
from external_layers.sources.reading import (
    dollars,
    mapping,
    ms_of_iso,
    number,
    past_ms,
    rows,
    some,
    text,
    ticker,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.watching import cover, is_whole, untold, watched

KEY: Final = "NANSEN_API_KEY"
SPEC: Final = SourceSpec(
    name="nansen",
    provider=Provider(
        name="nansen",
        url="https://api.nansen.ai",
        rates=(CallRate(5, 1.0), CallRate(60, 60.0), CallRate(1_000, 86_400.0)),
        licence="paid credits; redistribution only as their guidelines say",
        docs="https://docs.nansen.ai/api/smart-money/dex-trades",
    ),
    layer="onchain",
    feeds=("smart_money",),
    every_s=300.0,
    history="none",
    honesty="Only the last day can be had, with the labels that wallets carry today.",
    keys=(KEY,),
    needs_key=True,
)

_PATH: Final = "/api/v1/smart-money/dex-trades"
_CHAINS: Final = ("ethereum", "solana", "base", "bnb", "arbitrum")
_LABELS: Final = ("Fund", "Smart Trader", "30D Smart Trader", "90D Smart Trader")
_PAGE: Final = 100
_LAST: Final = "at_ms"  # key of the memory: the last look
_MS_PER_S: Final = 1_000
_LEAST_USD: Final = 1_000  # smaller trades are noise
# What tokens are paid with: a trade says nothing about the more usual money of the two.
_STABLE: Final = frozenset(
    ("USDT", "USDC", "DAI", "USDE", "FDUSD", "USDS", "PYUSD", "TUSD", "BUSD", "USD1")
)
_NATIVE: Final = frozenset(("ETH", "BTC", "BNB", "SOL", "AVAX", "POL"))
_SIDES: Final = ("bought", "sold")
_Side = Literal["buy", "sell"]


def parse(payload: Any, received_ms: int) -> list[WalletTrade]:
    """Return the trades of an answer; none when there were none.

    A trade of a token against money is a trade of that token; of two tokens it is one of each.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    found = rows(mapping(payload, SPEC.name).get("data"), SPEC.name)
    readable = [row for row in found if _observed_ms(row, received_ms) is not None]
    some(readable, found, SPEC.name)
    return [trade for row in readable for trade in _trades(row, received_ms)]


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the trades that were not told before, and what has been looked at."""
    question = {
        "chains": list(_CHAINS),
        "filters": {
            "include_smart_money_labels": list(_LABELS),
            "trade_value_usd": {"min": _LEAST_USD},
        },
        "pagination": {"page": 1, "per_page": _PAGE},
        "order_by": [{"field": "block_timestamp", "direction": "DESC"}],
    }
    reply = await client.post(_PATH, question, {"apiKey": context.keys[KEY]})
    payload = reply.json()
    trades = parse(payload, reply.received_ms)
    window_ms = context.now_ms() - context.settings.onchain.smart_window_s * _MS_PER_S
    since_ms = int(max(window_ms, number(context.memory.get(_LAST))))
    times = (each.observed_at_ms for each in trades)
    is_all = is_whole(times, len(payload["data"]), _PAGE, since_ms)
    cover(context.memory, (each.token for each in trades))
    context.memory[_LAST] = reply.received_ms
    until = (reply.received_ms, reply.received_ms)
    seen = watched("smart_trades", SPEC.name, context.memory, context.tokens, until)
    return [*untold(trades, _identity, context.memory), *(seen if is_all else ())]


def _identity(trade: WalletTrade) -> str:
    return f"{trade.tx_hash} {trade.token} {trade.side}"


def _trades(row: Mapping[str, Any], received_ms: int) -> list[WalletTrade]:
    bought, sold = (parties.coin(ticker(row.get(f"token_{side}_symbol"))) for side in _SIDES)
    sides: list[tuple[_Side, str, int]] = [
        ("buy", bought, _rank(bought)),
        ("sell", sold, _rank(sold)),
    ]
    top = max(rank for _, _, rank in sides)
    if not top or bought == sold:
        return []
    return [_trade(row, side, token, received_ms) for side, token, rank in sides if rank == top]


def _rank(token: str) -> int:
    """Return 0 for what is no token or a stablecoin, 1 for a coin that others are paid with."""
    if not token or token in _STABLE:
        return 0
    return 1 if token in _NATIVE else 2


def _trade(row: Mapping[str, Any], side: _Side, token: str, received_ms: int) -> WalletTrade:
    return WalletTrade(
        token=token,
        side=side,
        amount_usd=dollars(row.get("trade_value_usd")),
        wallet=text(row.get("trader_address")),
        label=text(row.get("trader_address_label")) or "smart wallet",
        blockchain=parties.chain(row.get("chain")),
        tx_hash=text(row.get("transaction_hash")),
        observed_at_ms=_observed_ms(row, received_ms) or received_ms,
        available_at_ms=received_ms,
    )


def _observed_ms(row: Mapping[str, Any], received_ms: int) -> int | None:
    """Return when a row's trade was made; None when it is no trade that can be told again."""
    if not text(row.get("transaction_hash")) or not text(row.get("trader_address")):
        return None
    return past_ms(ms_of_iso(row.get("block_timestamp")), received_ms)
