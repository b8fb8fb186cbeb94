"""Etherscan V2: transfers of ERC-20 tokens and of the chain's own coin on five EVM chains.

The busy wallets of exchanges are asked in turn, twelve calls each half minute: some 35,000 calls a
day of the 100,000 that a free key has, and every wallet is seen about every three minutes. The free
plan serves selected chains only; a chain that it refuses is left alone for a day, the others go on.
Of a wallet with more than 2,000 new rows between two looks the oldest are missed, and then the
source does not claim to have watched. What an exchange pays through a contract in the chain's own
coin does not show (internal transactions).

The shapes are those of https://docs.etherscan.io/api-reference/endpoint/tokentx and ``txlist``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from external_layers.sources import tokens, wallets
from external_layers.sources.facts import Fact, Feed, Watched
from external_layers.sources.reading import mapping, ms_of_seconds, past_ms, rows, some, text
from external_layers.sources.rotation import (
    forget_others,
    mark,
    note_marks,
    note_seen,
    seen_until,
    turns,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.transfers import (
    Known,
    Move,
    everything,
    known_of,
    merged,
    recent,
    smart_trades,
    units,
)
from scalp_strategy.errors import PayloadError, RateLimited, SourceRejected, SourceUnavailable

KEY: Final = "ETHERSCAN_API_KEY"
CHAIN_IDS: Final[Mapping[str, int]] = {
    "ethereum": 1,
    "bsc": 56,
    "base": 8453,
    "arbitrum": 42161,
    "polygon": 137,
}
_CALLS: Final = 12  # of one fetch, about
SPEC: Final = SourceSpec(
    name="etherscan",
    provider=Provider(
        name="etherscan",
        url="https://api.etherscan.io",
        rates=(CallRate(2, 1.0), CallRate(60_000, 86_400.0)),
        licence="free key; personal use with attribution",
        docs="https://docs.etherscan.io/rate-limits",
    ),
    layer="onchain",
    feeds=("whale_movements", "exchange_flow", "stablecoin_flow", "smart_money"),
    every_s=30.0,
    timeout_s=30.0,
    history="revised",
    honesty="The chain keeps its past, but owners of addresses are those known today.",
    keys=(KEY,),
    needs_key=True,
    calls=_CALLS,
)

_PAGE: Final = 1_000  # rows of an answer at most, on a free plan
_MOST_PAGES: Final = 2
_ERC20_ROWS: Final = "tokentx"
_COIN_ROWS: Final = "txlist"
_LAST_BLOCK: Final = 1e11  # a later one is garbage, and would hide all that come before it
_OFF_MS: Final = 86_400_000
_OFF: Final = "off"  # key of the memory
_LONGEST_ADDRESS: Final = 42
_LONGEST_HASH: Final = 66
_MS_PER_S: Final = 1_000


class _Poll(NamedTuple):
    """One question: the newest rows of a wallet on a chain."""

    chain: str
    action: str
    address: str

    @property
    def name(self) -> str:
        return ":".join(self)


class _Where(NamedTuple):
    """What a row does not say itself."""

    chain: str
    received_ms: int
    is_coin: bool


class _ChainRefused(SourceRejected):
    """The plan does not serve a chain."""


def parse(
    payload: Any,
    received_ms: int,
    chain: str = "ethereum",
    known: Known | None = None,
    *,
    is_coin: bool = False,
) -> list[Fact]:
    """Return what a `tokentx` answer tells: transfers, and trades of wallets known to trade well.

    Parameters
    ----------
    payload
        The answer; one that says that there are no transactions is empty.
    received_ms
        When it was received.
    chain
        Of which chain.
    known
        Owners, contracts, prices; None = the lists.
    is_coin
        The answer is one of `txlist`: amounts are of the chain's own coin.

    Raises
    ------
    PayloadError
        When it is no such answer, or no row of it is readable.
    """
    known = known or everything(chain)
    found = _rows(payload)
    coins = {"": tokens.NATIVE[chain]} if is_coin else known.coins
    where = _Where(chain, received_ms, is_coin)
    moves = [each for row in found if (each := _move(row, coins, where))]
    some([row for row in found if _is_readable(row)], found, SPEC.name)
    owned = [known.transfer(move, received_ms) for move in moves]
    transfers = [each for each in merged(owned) if known.is_told(each)]
    trades = [each for each in smart_trades(owned) if known.follows(each.token)]
    return [*transfers, *trades]


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the new transfers of the wallets whose turn it is, and what has been looked at."""
    polls = {poll.name: poll for poll in _polls(context)}
    forget_others(context.memory, polls)
    facts: list[Fact] = []
    marks: dict[str, int] = {}
    whole: list[str] = []
    at_ms = context.now_ms()
    chosen = turns(context.memory, list(polls), _CALLS)
    context.deliver(())
    for name in chosen:
        poll = polls[name]
        if _is_off(context, poll.chain):
            continue
        try:
            found, marks[name], is_whole = await _ask(client, context, poll)
        except _ChainRefused:
            _put_off(context, poll.chain)
            continue
        facts += found
        whole += [name] if is_whole else []
    note_marks(context.memory, marks)
    note_seen(context.memory, whole, at_ms)
    return [*recent(facts, context), *_watched(context, list(polls.values()))]


def _polls(context: FetchContext) -> list[_Poll]:
    """Return every question: tokens of each wallet, its coin where that is followed."""
    options, followed = context.settings.onchain, set(context.tokens)
    polls = []
    for chain in CHAIN_IDS:
        if _is_off(context, chain):
            continue
        exchanges = wallets.asked(chain, options)
        polls += [
            _Poll(chain, _ERC20_ROWS, each) for each in (*exchanges, *wallets.smart(chain, options))
        ]
        coin = tokens.NATIVE.get(chain)
        if coin is not None and coin.ticker in followed:
            polls += [_Poll(chain, _COIN_ROWS, each) for each in exchanges]
    return polls


async def _ask(client: Client, context: FetchContext, poll: _Poll) -> tuple[list[Fact], int, bool]:
    """Return a poll's facts since the last one, the newest block told of, and whether it is all."""
    known, start = known_of(context, poll.chain), mark(context.memory, poll.name)
    facts: list[Fact] = []
    newest = start
    for page in range(1, _MOST_PAGES + 1):
        params: dict[str, str | int] = {
            "chainid": CHAIN_IDS[poll.chain],
            "module": "account",
            "action": poll.action,
            "address": poll.address,
            "startblock": start,
            "page": page,
            "offset": _PAGE,
            "sort": "desc",
            "apikey": context.keys[KEY],
        }
        reply = await client.get("/v2/api", params)
        payload = reply.json()
        refuse(payload)
        is_coin = poll.action == _COIN_ROWS
        facts += parse(payload, reply.received_ms, poll.chain, known, is_coin=is_coin)
        found = _rows(payload)
        newest = max((newest, *(_block(row) for row in found)))
        is_first = start == 0  # the past before the first look is not asked for
        if len(found) < _PAGE or is_first:
            break
    return facts, newest, len(found) < _PAGE or _is_old(found[-1], context)


def _is_old(row: Mapping[str, Any], context: FetchContext) -> bool:
    """Tell whether a row, and so all before it, is older than what is asked for."""
    kept_ms = context.settings.onchain.raw_event_ttl_s * _MS_PER_S
    made_ms = ms_of_seconds(row.get("timeStamp"))
    return made_ms is not None and made_ms < context.now_ms() - kept_ms


def refuse(payload: Any) -> None:
    """Raise what an answer that is a refusal asks for.

    Raises
    ------
    RateLimited, SourceUnavailable, SourceRejected
        By what it says; its words are not repeated, they may hold the key.
    """
    if not isinstance(payload, Mapping) or not isinstance(payload.get("result"), str):
        return
    said = payload["result"].lower()
    if "rate limit" in said:
        raise RateLimited(f"{SPEC.name}: over the rate limit")
    if "api key" in said or "apikey" in said:
        raise SourceRejected(f"{SPEC.name}: the key is refused")
    if "not supported for this chain" in said or "unsupported chainid" in said:
        raise _ChainRefused(f"{SPEC.name}: the plan does not serve the chain")
    if "timeout" in said or "busy" in said:
        raise SourceUnavailable(f"{SPEC.name}: busy")


def _rows(payload: Any) -> list[Mapping[str, Any]]:
    answer = mapping(payload, SPEC.name)
    if answer.get("status") == "0" and text(answer.get("message")).startswith("No transactions"):
        return []
    if answer.get("status") != "1":
        raise PayloadError(f"{SPEC.name}: neither rows nor a known refusal")
    return rows(answer.get("result"), SPEC.name)


def _is_readable(row: Mapping[str, Any]) -> bool:
    return bool(text(row.get("hash"))) and ms_of_seconds(row.get("timeStamp")) is not None


def _block(row: Mapping[str, Any]) -> int:
    number = units(row.get("blockNumber"), 0)
    return int(number) if number < _LAST_BLOCK else 0


def _move(row: Mapping[str, Any], coins: Mapping[str, tokens.Coin], where: _Where) -> Move | None:
    """Return what a row moves; None when that is nothing, or no listed token."""
    contract = "" if where.is_coin else _address(row.get("contractAddress"))
    coin = coins.get(contract)
    observed_ms = past_ms(ms_of_seconds(row.get("timeStamp")), where.received_ms)
    origin, target = _address(row.get("from")), _address(row.get("to"))
    tx_hash = text(row.get("hash"), _LONGEST_HASH)
    if coin is None or observed_ms is None or text(row.get("isError")) == "1":
        return None
    amount = units(row.get("value"), coin.decimals)
    if not (amount > 0 and tx_hash and origin and target):
        return None
    return Move(coin.ticker, amount, origin, target, where.chain, tx_hash, observed_ms)


def _address(value: Any) -> str:
    return text(value, _LONGEST_ADDRESS).lower()


def _is_off(context: FetchContext, chain: str) -> bool:
    off = context.memory.get(_OFF)
    until = off.get(chain) if isinstance(off, dict) else None
    return isinstance(until, int) and context.now_ms() < until


def _put_off(context: FetchContext, chain: str) -> None:
    off = context.memory.get(_OFF)
    kept = off if isinstance(off, dict) else {}
    context.memory[_OFF] = kept | {chain: context.now_ms() + _OFF_MS}


def _watched(context: FetchContext, polls: Sequence[_Poll]) -> list[Watched]:
    """Return up to when the transfers of each token, and the smart wallets' trades, are told.

    A coin with a chain of its own moves there: where only its wrapped form is seen (BTC, or BNB
    while its chain is refused) nobody has watched it.
    """
    options, at_ms = context.settings.onchain, context.now_ms()
    at_home = {tokens.NATIVE[poll.chain] for poll in polls if poll.action == _COIN_ROWS}
    away = {coin.ticker for coin in tokens.NATIVE.values() if coin not in at_home}
    followed = tokens.STABLECOINS | set(context.tokens)
    tellers: dict[tuple[Feed, str], list[str]] = {}
    for poll in polls:
        is_smart = poll.address in wallets.smart(poll.chain, options)
        feed: Feed = "smart_trades" if is_smart else "transfers"
        for token in (_told_by(poll, context) & followed) - (set() if is_smart else away):
            tellers.setdefault((feed, token), []).append(poll.name)
    return [
        Watched(feed, token, SPEC.name, until_ms, at_ms)
        for (feed, token), names in tellers.items()
        if (until_ms := seen_until(context.memory, names)) is not None
    ]


def _told_by(poll: _Poll, context: FetchContext) -> set[str]:
    if poll.action == _COIN_ROWS:
        return {tokens.NATIVE[poll.chain].ticker}
    return {coin.ticker for coin in tokens.coins(poll.chain, context.tokens).values()}
