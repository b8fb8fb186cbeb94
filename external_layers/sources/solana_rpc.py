"""Solana's public RPC: SOL and SPL tokens that the exchanges' wallets send and receive.

Two wallets each half minute, and of each the newest eight transactions that it has not told of yet:
at most 18 calls a fetch, some 52,000 a day (the public limit is 40 calls of a method in 10 s). The
busiest wallets make more transactions than that: theirs are a sample, and then the source does not
claim to have watched. With an RPC of one's own (`sources.urls`) the limits are one's own too.

The shapes are those of https://solana.com/docs/rpc/http/gettransaction (``jsonParsed``).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from external_layers.sources import tokens, wallets
from external_layers.sources.facts import Fact, Party, Transfer, Watched
from external_layers.sources.reading import (
    mapping,
    ms_of_seconds,
    part,
    past_ms,
    rows,
    some,
    text,
)
from external_layers.sources.rotation import (
    forget_others,
    note_seen,
    seen_until,
    turns,
)
from external_layers.sources.spec import CallRate, Client, FetchContext, Provider, SourceSpec
from external_layers.sources.transfers import Known, Move, everything, known_of, recent, units
from scalp_strategy.errors import PayloadError, RateLimited, SourceUnavailable

_WALLETS: Final = 2  # of one fetch
_TRANSACTIONS: Final = 8  # of one wallet
SPEC: Final = SourceSpec(
    name="solana_rpc",
    provider=Provider(
        name="solana_rpc",
        url="https://api.mainnet-beta.solana.com",
        rates=(CallRate(2, 1.0), CallRate(20, 10.0)),
        licence="public endpoint without key; not meant for heavy use",
        docs="https://solana.com/docs/references/clusters",
    ),
    layer="onchain",
    feeds=("whale_movements", "exchange_flow", "stablecoin_flow"),
    every_s=30.0,
    timeout_s=28.0,
    history="none",
    honesty="Public nodes keep some days only, and the busiest wallets are sampled.",
    calls=_WALLETS * (1 + _TRANSACTIONS),
)
CHAIN: Final = "solana"
_COIN: Final = tokens.NATIVE[CHAIN]
_SIGNATURES: Final = 50  # that are asked for: enough to see that some are passed over
_LAST: Final = "last"  # key of the memory: the newest signature by wallet
_LONGEST: Final = 100  # characters of an address or a signature
_TOO_MANY: Final = 429


def parse(payload: Any, received_ms: int, known: Known | None = None) -> list[Transfer]:
    """Return the transfers of a `getTransaction` answer: what changed hands, by owner and token.

    Each token's balances before and after are compared, all wallets of an exchange taken together
    and all unknown wallets too. Who lost most has sent; every owner who gained has received. A
    transaction that failed moves nothing.

    Raises
    ------
    PayloadError
        When it is no such answer.
    """
    result = mapping(payload, SPEC.name).get("result", payload)
    if result is None:
        return []
    found = mapping(result, SPEC.name)
    meta = mapping(found.get("meta"), SPEC.name)
    signatures = part(found, "transaction", "signatures")
    tx_hash = text(signatures[0] if isinstance(signatures, list) and signatures else "", _LONGEST)
    observed_ms = past_ms(ms_of_seconds(found.get("blockTime")), received_ms)
    if not tx_hash or observed_ms is None:
        raise PayloadError(f"{SPEC.name}: a transaction without signature or time")
    if meta.get("err") is not None:
        return []
    known = known or everything(CHAIN)
    moves = [
        move
        for token, changes in _changes(found, meta, known).items()
        for move in _moves(token, changes, known.owners, (tx_hash, observed_ms))
    ]
    told = [known.transfer(move, received_ms) for move in moves]
    return [each for each in told if known.is_told(each)]


async def fetch(client: Client, context: FetchContext) -> list[Fact]:
    """Return the new transfers of the wallets whose turn it is, and what has been looked at."""
    memory, at_ms = context.memory, context.now_ms()
    asked = wallets.asked(CHAIN, context.settings.onchain)
    forget_others(memory, asked)
    facts: list[Fact] = []
    last: dict[str, str] = {}
    whole: list[str] = []
    chosen = turns(memory, asked, _WALLETS)
    context.deliver(())
    for address in chosen:
        fresh = await _fresh(client, address, _last(memory).get(address, ""))
        for signature in fresh[:_TRANSACTIONS]:
            facts += await _transaction(client, context, signature)
        last |= {address: fresh[0]} if fresh else {}
        whole += [address] if len(fresh) <= _TRANSACTIONS else []
    memory[_LAST] = {name: at for name, at in (_last(memory) | last).items() if name in asked}
    note_seen(memory, whole, at_ms)
    until_ms = seen_until(memory, asked)
    if until_ms is None:
        return recent(facts, context)
    here = {coin.ticker for coin in tokens.coins(CHAIN, context.tokens).values()} | {_COIN.ticker}
    told = sorted(here & (tokens.STABLECOINS | set(context.tokens)))
    seen = [Watched("transfers", token, SPEC.name, until_ms, at_ms) for token in told]
    return [*recent(facts, context), *seen]


async def _fresh(client: Client, address: str, last: str) -> list[str]:
    """Return the signatures after the last one that did not fail, the newest first."""
    options: dict[str, Any] = {"limit": _SIGNATURES, "commitment": "confirmed"}
    if last:
        options["until"] = last
    payload, _ = await _call(client, "getSignaturesForAddress", [address, options])
    found = rows(part(payload, "result"), SPEC.name)
    readable = [row for row in found if text(row.get("signature"), _LONGEST)]
    some(readable, found, SPEC.name)
    return [text(row["signature"], _LONGEST) for row in readable if row.get("err") is None]


async def _transaction(client: Client, context: FetchContext, signature: str) -> list[Transfer]:
    options = {
        "encoding": "jsonParsed",
        "commitment": "confirmed",
        "maxSupportedTransactionVersion": 0,
    }
    payload, received_ms = await _call(client, "getTransaction", [signature, options])
    return parse(payload, received_ms, known_of(context, CHAIN))


async def _call(client: Client, method: str, params: list[Any]) -> tuple[Any, int]:
    """Return the answer to a call, and when it was received."""
    question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = await client.post("/", question)
    payload = reply.json()
    if part(payload, "error") is not None:
        if part(payload, "error", "code") == _TOO_MANY:
            raise RateLimited(f"{SPEC.name}: over the rate limit")
        raise SourceUnavailable(f"{SPEC.name}: {method} failed")
    return payload, reply.received_ms


def _changes(
    found: Mapping[str, Any], meta: Mapping[str, Any], known: Known
) -> dict[str, dict[str, float]]:
    """Return by token what each address has more (or less) after than before."""
    changes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    accounts = part(found, "transaction", "message", "accountKeys")
    before, after = meta.get("preBalances"), meta.get("postBalances")
    if isinstance(accounts, list) and isinstance(before, list) and isinstance(after, list):
        for account, had, has in zip(accounts, before, after, strict=False):
            address = text(part(account, "pubkey") or account, _LONGEST)
            change = units(has, _COIN.decimals) - units(had, _COIN.decimals)
            if address:
                changes[_COIN.ticker][address] += change
    for key, sign in (("preTokenBalances", -1.0), ("postTokenBalances", 1.0)):
        balances = meta.get(key)
        for row in balances if isinstance(balances, list) else ():
            coin = known.coins.get(text(part(row, "mint"), _LONGEST))
            owner = text(part(row, "owner"), _LONGEST)
            if coin is not None and owner:
                amount = units(part(row, "uiTokenAmount", "amount"), coin.decimals)
                changes[coin.ticker][owner] += sign * amount
    return changes


def _moves(
    token: str,
    changes: Mapping[str, float],
    owners: Mapping[str, Party],
    when: tuple[str, int],
) -> list[Move]:
    """Return a move from the owner who lost most to each who gained, between their main wallets."""
    net: dict[tuple[str, str], float] = defaultdict(float)
    main: dict[tuple[str, str], str] = {}
    for address, change in changes.items():
        owner = wallets.party(owners, address)
        key = (owner.kind, owner.label)
        net[key] += change
        if key not in main or abs(change) > abs(changes[main[key]]):
            main[key] = address
    loser = min(net, key=lambda key: net[key], default=None)
    if loser is None or not net[loser] < 0:
        return []
    tx_hash, observed_ms = when
    return [
        Move(token, gain, main[loser], main[key], CHAIN, tx_hash, observed_ms)
        for key, gain in net.items()
        if gain > 0
    ]


def _last(memory: Mapping[str, Any]) -> dict[str, str]:
    found = memory.get(_LAST)
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: at for name, at in pairs if isinstance(name, str) and isinstance(at, str)}
