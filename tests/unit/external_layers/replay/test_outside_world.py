"""The outside world of the replay market: a function of seed and time, and of what is set."""

import json
import re
from base64 import b64encode
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from external_layers.replay.answer import Answer
from external_layers.replay.exchange import ReplayExchange
from external_layers.replay.generator import GeneratedMarket
from external_layers.replay.outside import Asked
from external_layers.replay.outside.levels import business_days
from external_layers.replay.outside.press import BAD, GOOD, PLAIN
from external_layers.replay.outside.walks import wander, wander_at
from external_layers.sentiment.polarity import polarity
from external_layers.sources.registry import SOURCES
from tests.unit.external_layers.replay.conftest import NOW_MS, Clock

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEYS = {
    "x-api-key": "k",
    "apikey": "k",
    "api-key": "k",
    "authorization": "Bearer k",
}
FRED = {"api_key": "k", "file_type": "json"}
NETFLOW = {"window": "hour", "limit": "5"}
BINANCE_BTC = (
    "bc1qm34lsc65zpw79lxes69zkqmk6ee3ewf0j77s3h",
    "bc1q7t9fxfaakmtk8pj7tdxjvwsng6y9x76czuaf5h",
    "34xp4vRoCGJym3xR7yCVPFHoCNxv4Twseo",
    "3M219KR5vEneNb47ewrPfWyb5jQ2DjxRP6",
)
WHALE = {"kind": "whale", "token": "BTC", "usd": 5e6, "exchange": "Binance"}
# A question to each provider that is asked over plain HTTP, as its documentation shows it.
QUESTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "etherscan": ("v2/api", {"apikey": "k", "chainid": "1", "module": "account",
                             "action": "tokentx",
                             "address": "0x28c6c06298d514db089934071355e5743bf21d60"}),
    "mempool_space": (f"api/address/{BINANCE_BTC[0]}/txs", {}),
    "blockchain_com": ("latestblock", {}),
    "trongrid": ("v1/accounts/TMuA6YqfCeX8EhbfYEg5y7S4DqzSJireY9/transactions/trc20", {}),
    "defillama": ("stablecoincharts/all", {}),
    "dexscreener": ("token-pairs/v1/ethereum/0x514910771af9ca656af840dff83e8264ecf986ca", {}),
    "whale_alert": ("v1/transactions", {"api_key": "k", "start": "0"}),
    "cryptoquant": ("v1/btc/exchange-flows/netflow", NETFLOW),
    "glassnode": ("v1/metrics/transactions/transfers_volume_exchanges_net", {"a": "BTC"}),
    "arkham": ("transfers", {"usdGte": "1"}),
    "lunarcrush": ("api4/public/coins/list/v2", {}),
    "x": ("2/tweets/counts/recent", {"query": "#BTC"}),
    "reddit": ("r/CryptoCurrency/new", {}),
    "alternative_me": ("fng/", {"limit": "3"}),
    "coingecko": ("api/v3/global", {}),
    "gdelt": ("api/v2/doc/doc", {"mode": "timelinetone"}),
    "news_rss": ("www.coindesk.com/arc/outboundfeeds/rss/", {}),
    "fred": ("fred/series/observations", {"series_id": "SP500", "limit": "5", **FRED}),
    "yahoo": ("v8/finance/chart/ES=F", {}),
    "alpha_vantage": ("query", {"apikey": "k", "function": "TREASURY_YIELD"}),
}  # fmt: skip
POSTED = {"solana_rpc", "nansen"}
LISTENED = {"whale_alert_stream"}
KEYED = {source.spec.provider.name for source in SOURCES if source.spec.needs_key}


def asked(exchange: ReplayExchange, path: str, **params: str) -> Answer:
    return exchange.outside_answer(Asked("GET", f"/outside/{path}", params, KEYS))


def question(exchange: ReplayExchange, provider: str) -> Answer:
    path, params = QUESTIONS[provider]
    return asked(exchange, f"{provider}/{path}", **params)


def posted(exchange: ReplayExchange, path: str, body: Any) -> Answer:
    raw = json.dumps(body).encode()
    return exchange.outside_answer(Asked("POST", f"/outside/{path}", {}, KEYS, raw))


def say(exchange: ReplayExchange, /, **order: Any) -> dict[str, Any]:
    answer = exchange.control("outside", order)
    assert answer.status == 200, answer.body
    return dict(answer.body["outside"])


# ------------------------------------------------------------------------------------ who answers


def test_every_provider_of_every_source_is_answered(exchange: ReplayExchange) -> None:
    providers = {source.spec.provider.name for source in SOURCES}
    assert set(exchange.outside.answerers) == providers
    assert set(QUESTIONS) | POSTED | LISTENED == providers


@pytest.mark.parametrize("provider", QUESTIONS)
def test_a_question_is_answered_the_same_in_another_process(
    provider: str, exchange: ReplayExchange, source: GeneratedMarket, clock: Clock
) -> None:
    first = question(exchange, provider)
    assert first.status == 200
    assert len(first.raw) > 50
    assert question(ReplayExchange(source, clock), provider).raw == first.raw
    other = question(ReplayExchange(GeneratedMarket(seed=8), clock), provider)
    assert other.raw != first.raw


@pytest.mark.parametrize("provider", sorted(KEYED - POSTED - LISTENED))
def test_without_a_key_the_answer_is_401(provider: str, exchange: ReplayExchange) -> None:
    path, params = QUESTIONS[provider]
    bare = {name: value for name, value in params.items() if "key" not in name}
    answer = exchange.outside_answer(Asked("GET", f"/outside/{provider}/{path}", bare))
    assert answer.status == 401
    assert isinstance(answer.body, dict)


@pytest.mark.parametrize(
    "path", ["nobody/x", "gdelt/api/v3", "etherscan/", "blockchain_com/rawblock/00"]
)
def test_unknown_addresses_answer_404_in_json(path: str, exchange: ReplayExchange) -> None:
    answer = asked(exchange, path, apikey="k")
    assert answer.status == 404
    assert json.loads(answer.raw)["error"]


def test_questions_are_counted_and_weigh_nothing(exchange: ReplayExchange) -> None:
    question(exchange, "coingecko")
    counts = exchange.request_counts()
    assert counts["requests"] == {"/outside/coingecko/api/v3/global": 1}
    assert counts["weight"] == {}


# --------------------------------------------------------------------------- time and consistency


def test_the_past_stays_as_it_was_told(exchange: ReplayExchange, clock: Clock) -> None:
    def index() -> dict[str, str]:
        rows = asked(exchange, "alternative_me/fng/", limit="20").body["data"]
        return {row["timestamp"]: row["value"] for row in rows}

    def moves() -> dict[str, float]:
        answer = asked(exchange, "whale_alert/v1/transactions", api_key="k", start="0")
        return {row["hash"]: row["amount"] for row in answer.body["transactions"]}

    before = (index(), moves())
    clock.ms += HOUR_MS
    after = (index(), moves())
    assert before[0] == after[0]
    common = before[1].keys() & after[1].keys()
    assert len(common) > 20
    assert all(before[1][each] == after[1][each] for each in common)
    clock.ms += 3 * DAY_MS
    later = index()
    assert later != before[0]
    assert all(later[day] == before[0][day] for day in later.keys() & before[0].keys())


def test_nothing_is_told_in_advance(exchange: ReplayExchange, clock: Clock) -> None:
    for step in range(6):
        clock.ms = NOW_MS + step * 17 * 60_000
        answer = asked(exchange, "whale_alert/v1/transactions", api_key="k", start="0")
        times = [row["timestamp"] for row in answer.body["transactions"]]
        assert max(times) * 1_000 <= clock.ms
        assert times == sorted(times)


def test_a_shift_shows_another_stretch_at_the_same_time(exchange: ReplayExchange) -> None:
    before = question(exchange, "whale_alert").body["transactions"]
    exchange.control("shift", {"days": -3})
    shifted = question(exchange, "whale_alert").body["transactions"]
    assert {row["hash"] for row in before}.isdisjoint(row["hash"] for row in shifted)
    assert all(abs(row["timestamp"] * 1_000 - NOW_MS) < DAY_MS for row in shifted)
    exchange.control("reset", {})
    assert question(exchange, "whale_alert").body["transactions"] == before


def test_the_market_is_as_large_as_its_price_says(exchange: ReplayExchange) -> None:
    before = question(exchange, "coingecko").body["data"]
    price = float(exchange.answer("/fapi/v1/ticker/price", {"symbol": "BTCUSDT"}).body["price"])
    share = before["market_cap_percentage"]["btc"] / 100
    assert before["total_market_cap"]["usd"] * share / price == pytest.approx(19.95e6, rel=0.01)
    exchange.control("move", {"symbol": "BTCUSDT", "factor": 0.8, "at": NOW_MS - HOUR_MS})
    after = question(exchange, "coingecko").body["data"]
    ratio = after["total_market_cap"]["usd"] / before["total_market_cap"]["usd"]
    assert ratio == pytest.approx(0.8, rel=1e-6)


def test_fear_follows_a_fall(exchange: ReplayExchange) -> None:
    def today() -> int:
        return int(question(exchange, "alternative_me").body["data"][0]["value"])

    before = today()
    exchange.control("move", {"symbol": "BTCUSDT", "factor": 0.9, "at": NOW_MS - 2 * DAY_MS})
    assert before - 35 <= today() <= before - 15


def test_a_transaction_waits_for_a_block_and_is_in_it(
    exchange: ReplayExchange, clock: Clock
) -> None:
    say(exchange, kind="calm")
    say(exchange, **WHALE, direction="withdrawal")

    def rows() -> list[dict[str, Any]]:
        paths = [f"mempool_space/api/address/{wallet}/txs" for wallet in BINANCE_BTC]
        return [row for path in paths for row in asked(exchange, path).body]

    assert [row["status"] for row in rows()] == [{"confirmed": False}]
    clock.ms += 20 * 60_000
    (row,) = rows()
    assert row["status"]["confirmed"]
    block = asked(exchange, f"blockchain_com/rawblock/{row['status']['block_hash']}").body
    assert block["time"] == row["status"]["block_time"]
    assert row["txid"] in [each["hash"] for each in block["tx"]]
    newest = asked(exchange, "blockchain_com/latestblock").body
    assert newest["time"] * 1_000 <= clock.ms
    linked = asked(exchange, f"blockchain_com/rawblock/{newest['hash']}").body
    assert linked["height"] == newest["height"]
    before = asked(exchange, f"blockchain_com/rawblock/{linked['prev_block']}").body
    assert before["height"] == linked["height"] - 1


def test_solana_shows_balances_before_and_after(exchange: ReplayExchange) -> None:
    def call(method: str, *params: Any) -> Any:
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return posted(exchange, "solana_rpc/", question).body

    say(exchange, **WHALE | {"token": "SOL"}, direction="deposit")
    wallet = "5tzFkiKscXHK5ZXCGbXZxdw7gTjjD1mBwuoFbhUvuAi9"
    rows = call("getSignaturesForAddress", wallet, {"limit": 50})["result"]
    assert call("getSignaturesForAddress", wallet, {"until": rows[0]["signature"]})["result"] == []
    found = call("getTransaction", rows[-1]["signature"], {})["result"]
    spent = sum(found["meta"]["preBalances"])
    assert spent - found["meta"]["fee"] == sum(found["meta"]["postBalances"])
    assert call("getTransaction", "nonsense", {})["result"] is None
    assert call("getBalance", wallet)["error"]["code"] == -32601


def test_a_feed_is_unchanged_until_something_is_new(exchange: ReplayExchange) -> None:
    path = "/outside/news_rss/decrypt.co/feed"
    first = exchange.outside_answer(Asked("GET", path))
    ask = Asked("GET", path, {}, {"if-none-match": first.headers["ETag"]})
    assert exchange.outside_answer(ask).status == 304
    say(exchange, kind="story", title="A & B <merge>", publisher="decrypt")
    second = exchange.outside_answer(ask)
    assert second.status == 200
    titles = [unescape(each) for each in re.findall("<title>(.*?)</title>", second.raw.decode())]
    assert titles[1] == "A & B <merge>"  # after the feed's own
    assert len(titles) > 5


@pytest.mark.parametrize("template", [*GOOD, *BAD, *PLAIN])
@pytest.mark.parametrize("name", ["Bitcoin", "Ethereum", "$XRP"])
def test_headlines_sound_as_they_are_meant(template: str, name: str) -> None:
    sound = polarity(template.format(name=name, price="91,234"))
    assert (sound > 0.2) == (template in GOOD)
    assert (sound < -0.2) == (template in BAD)
    assert (sound == 0) == (template in PLAIN)


def test_reddit_wants_a_login(exchange: ReplayExchange) -> None:
    login = "/outside/reddit/www.reddit.com/api/v1/access_token"
    basic = {"authorization": f"Basic {b64encode(b'id:secret').decode()}"}
    form = b"grant_type=client_credentials"
    assert exchange.outside_answer(Asked("POST", login, {}, {}, form)).status == 401
    assert exchange.outside_answer(Asked("POST", login, {}, basic, b"")).status == 400
    assert exchange.outside_answer(Asked("POST", login, {}, basic, form)).body["access_token"]


def test_observations_are_told_once_they_are_published(
    exchange: ReplayExchange, clock: Clock
) -> None:
    def days(**params: str) -> list[dict[str, str]]:
        answer = asked(exchange, "fred/fred/series/observations", **FRED | params)
        return list(answer.body["observations"])

    today = date(2026, 9, 21)  # a Monday
    assert days(series_id="SP500")[-1]["date"] == "2026-09-18"
    clock.ms += DAY_MS
    assert days(series_id="SP500")[-1]["date"] == today.isoformat()
    vintages = days(
        series_id="DTWEXBGS", observation_start="2026-06-01", realtime_start="2026-01-01",
        realtime_end="9999-12-31",
    )  # fmt: skip
    lags = {
        date.fromisoformat(row["realtime_start"]) - date.fromisoformat(row["date"])
        for row in vintages
    }
    assert lags == {timedelta(days=days) for days in range(3, 8)}
    early = days(
        series_id="DTWEXBGS", observation_start="2026-06-01", realtime_start="2026-06-01",
        realtime_end="2026-06-09",
    )  # fmt: skip
    assert [row["date"] for row in early] == [f"2026-06-0{day}" for day in range(1, 6)]
    refused = asked(
        exchange, "fred/fred/series/observations", **FRED, series_id="SP500",
        realtime_start="2026-01-01",
    )  # fmt: skip
    assert refused.status == 400


@given(st.integers(0, 40_000))
def test_business_days_count_on_weekdays_only(day: int) -> None:
    is_weekday = (date(1970, 1, 1) + timedelta(days=day)).weekday() < 5
    assert business_days(day + 1) - business_days(day) == is_weekday


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 50), st.sampled_from([0.0, 0.5, 0.95]))
def test_a_walk_is_the_same_wherever_it_is_entered(first: int, count: int, left: float) -> None:
    whole = wander(7, ("a",), first, count, left)
    parts = [wander(7, ("a",), place, 1, left)[0] for place in range(first, first + count)]
    assert whole == pytest.approx(parts)
    assert wander_at(7, ("a",), float(first), left) == pytest.approx(whole[0])
    assert abs(whole).max() < 8


# ------------------------------------------------------------------------------------ what is set


def test_what_is_set_is_shown_and_taken_back(exchange: ReplayExchange) -> None:
    say(exchange, kind="fear_greed", value=12)
    say(exchange, kind="calm")
    state = say(exchange, kind="garbage", path="gdelt", how="html", count=2)
    assert state["facts"] == [{"kind": "fear_greed", "value": 12.0, "at": NOW_MS}]
    assert state["is_calm"]
    assert [(rule["how"], rule["left"]) for rule in state["garbage"]] == [("html", 2)]
    question(exchange, "gdelt")
    assert exchange.state()["outside"]["garbage"][0]["left"] == 1
    cleared = exchange.control("reset", {}).body["outside"]
    assert cleared == {"is_calm": False, "facts": [], "garbage": []}


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"kind": "explode"},
        {"kind": "fear_greed", "value": 101},
        {"kind": "fear_greed"},
        {"kind": "sp500_move", "pct": -100},
        {"kind": "whale", "token": "NOPE", "usd": 1e6, "direction": "deposit"},
        {"kind": "whale", "token": "BTC", "usd": 1e6, "direction": "sideways"},
        {"kind": "whale", "token": "BTC", "usd": 1e6, "direction": "deposit", "exchange": "Nope"},
        {"kind": "story", "title": ""},
        {"kind": "tone", "value": 101},
        {"kind": "garbage", "path": "(", "how": "html"},
        {"kind": "garbage", "how": "odd"},
        {"kind": "calm", "off": True},
        [],
    ],
)
def test_orders_that_make_no_sense_are_explained(exchange: ReplayExchange, order: object) -> None:
    before = exchange.state()
    answer = exchange.control("outside", order)
    assert answer.status == 400
    assert answer.body["error"]
    assert exchange.state() == before


def test_a_jump_stays_and_shows_in_the_daily_close(exchange: ReplayExchange, clock: Clock) -> None:
    def price(symbol: str) -> float:
        chart = asked(exchange, f"yahoo/v8/finance/chart/{symbol}").body["chart"]["result"][0]
        return float(chart["meta"]["regularMarketPrice"])

    before = {symbol: price(symbol) for symbol in ("ES=F", "DX-Y.NYB")}
    say(exchange, kind="sp500_move", pct=-2.5)
    say(exchange, kind="dollar_move", pct=1.0)
    assert price("ES=F") == pytest.approx(before["ES=F"] * 0.975)
    assert price("DX-Y.NYB") == pytest.approx(before["DX-Y.NYB"] * 1.01)
    clock.ms += 3 * DAY_MS
    with_jump = question(exchange, "fred").body["observations"]
    exchange.control("reset", {})
    without = question(exchange, "fred").body["observations"]
    assert with_jump == without  # the oldest five
    newest = {"series_id": "SP500", "sort_order": "desc", "limit": "1", **FRED}
    plain = asked(exchange, "fred/fred/series/observations", **newest).body["observations"][0]
    clock.ms -= 3 * DAY_MS
    say(exchange, kind="sp500_move", pct=-2.5)
    clock.ms += 3 * DAY_MS
    moved = asked(exchange, "fred/fred/series/observations", **newest).body["observations"][0]
    assert float(moved["value"]) == pytest.approx(float(plain["value"]) * 0.975, abs=0.01)


def test_a_calm_world_is_flat(exchange: ReplayExchange) -> None:
    say(exchange, kind="calm")
    assert question(exchange, "whale_alert").body["transactions"] == []
    assert question(exchange, "alternative_me").body["data"][0]["value"] == "50"
    chart = question(exchange, "yahoo").body["chart"]["result"][0]
    closes = set(chart["indicators"]["quote"][0]["close"]) - {None}
    assert len(closes) == 1
    tones = question(exchange, "gdelt").body["timeline"][0]["data"]
    assert max(abs(row["value"]) for row in tones) < 0.01
    posts = question(exchange, "reddit").body["data"]["children"]
    assert {polarity(post["data"]["title"]) for post in posts} == {0.0}
    say(exchange, kind="calm", on=False)
    assert question(exchange, "whale_alert").body["transactions"]


def test_the_tone_that_is_set_is_told_at_once_and_beats_a_calm_world(
    exchange: ReplayExchange,
) -> None:
    say(exchange, kind="calm")
    say(exchange, kind="tone", value=4.5)
    tones = question(exchange, "gdelt").body["timeline"][0]["data"]
    assert {row["value"] for row in tones} == {4.5}
    exchange.control("reset", {})
    tones = question(exchange, "gdelt").body["timeline"][0]["data"]
    assert len({row["value"] for row in tones}) > 1


@pytest.mark.parametrize(
    ("how", "is_as_meant"),
    [
        ("html", lambda raw, _: raw.startswith(b"<!DOCTYPE html>")),
        ("empty", lambda raw, _: raw == b""),
        ("truncated", lambda raw, good: good.startswith(raw) and 0 < len(raw) < len(good)),
        ("wrong_types", lambda raw, good: json.loads(raw).keys() == json.loads(good).keys()),
        ("huge", lambda raw, good: json.loads(raw) == json.loads(good) and len(raw) == 2_000_000),
        ("slow", lambda raw, good: raw == good),
    ],
)
def test_spoiled_answers(how: str, is_as_meant: Any, exchange: ReplayExchange) -> None:
    good = question(exchange, "coingecko").raw
    say(exchange, kind="garbage", path="/outside/coingecko", how=how, count=1, mb=2, seconds=9)
    assert question(exchange, "gdelt").status == 200
    bad = question(exchange, "coingecko")
    assert is_as_meant(bad.raw, good)
    assert bad.over_s == (9 if how == "slow" else 0)
    assert question(exchange, "coingecko").raw == good


def test_errors_and_delays_hold_for_outside_paths_too(exchange: ReplayExchange) -> None:
    exchange.control(
        "errors", {"path": "/outside/gdelt", "status": 429, "retry_after": 9, "count": 1}
    )
    exchange.control("delay", {"path": "/outside/gdelt", "seconds": 3, "count": 2})
    answers = [question(exchange, "gdelt") for _ in range(3)]
    assert [(each.status, each.delay_s) for each in answers] == [(429, 3), (200, 3), (200, 0)]
    assert answers[0].headers == {"Retry-After": "9"}
