"""One valid answer per outside source: `parse(sample, received_ms)` makes at least a fact of it.

The contract test of the sources starts its mutations from these. A new source adds a line.
"""

from typing import Any, Final

from tests.support.chain_samples import CHAIN_SAMPLES

RECEIVED_MS: Final = 1_780_000_000_000  # 2026-05-28 20:26:40 UTC: every sample is from before it

_USDT_MOVE: Final[dict[str, Any]] = {
    "blockchain": "ethereum",
    "symbol": "usdt",
    "id": "1990603462",
    "transaction_type": "transfer",
    "hash": "7fc67143eb1a43ea111921076a44f7e2fa79ffe530bd3f79dee0464cf6214ae5",
    "from": {"address": "6224b133adbd85dddc03a8ae111dec912f0ee4a7", "owner_type": "unknown"},
    "to": {
        "address": "ae2d4617c862309a3d75a0ffb358c7a5009c673f",
        "owner": "kraken",
        "owner_type": "exchange",
    },
    "timestamp": 1_779_999_800,
    "amount": 5_000_000,
    "amount_usd": 5_000_150.5,
    "transaction_count": 1,
}
_ARKHAM_MOVE: Final[dict[str, Any]] = {
    "transactionHash": "0x9873bb41c78396a68d9883f0b0c79fe1c83ab17a93829d074f4ca3cfaf416ceb",
    "fromAddress": {
        "address": "0x28C6c06298d514Db089934071355E5743bf21d60",
        "chain": "ethereum",
        "arkhamEntity": {"name": "Binance", "id": "binance", "type": "cex"},
        "arkhamLabel": {"name": "Hot Wallet"},
    },
    "toAddress": {"address": "0x1234567890123456789012345678901234567890", "chain": "ethereum"},
    "blockTimestamp": "2026-05-28T20:20:11Z",
    "tokenSymbol": "LINK",
    "unitValue": 150_000.0,
    "historicalUSD": 2_300_000.0,
    "chain": "ethereum",
}
_RSS: Final = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>News</title>
<item><title>Bitcoin plunges as SOL, LINK and ARB slide</title><guid>a1</guid>
<pubDate>Thu, 28 May 2026 19:56:40 +0000</pubDate></item>
<item><title><![CDATA[SEC approves spot Solana ETF - Reuters]]></title><guid>a2</guid>
<source url="https://www.reuters.com">Reuters</source>
<pubDate>Thu, 28 May 2026 18:26:40 GMT</pubDate></item>
</channel></rss>"""

SAMPLES: Final[dict[str, Any]] = {
    **CHAIN_SAMPLES,
    "whale_alert": {
        "result": "success",
        "cursor": "76a63333-76a63333-641f534f",
        "count": 1,
        "transactions": [_USDT_MOVE],
    },
    "whale_alert_stream": {
        "channel_id": "xlLZ7tJq",
        "timestamp": 1_779_999_800,
        "blockchain": "ethereum",
        "transaction_type": "transfer",
        "from": "unknown wallet",
        "to": "Kraken",
        "amounts": [{"symbol": "USDT", "amount": 5_000_000, "value_usd": 5_000_150.5}],
        "text": "5,000,000 USDT transferred from unknown wallet to Kraken",
        "transaction": {
            "hash": "0x7fc67143eb1a43ea111921076a44f7e2fa79ffe530bd3f79dee0464cf6214ae5",
            "sub_transactions": [
                {
                    "symbol": "USDT",
                    "inputs": [{"address": "0x6224b133adbd85dddc03a8ae111dec912f0ee4a7"}],
                    "outputs": [
                        {
                            "address": "0xae2d4617c862309a3d75a0ffb358c7a5009c673f",
                            "owner": "kraken",
                            "owner_type": "exchange",
                        }
                    ],
                }
            ],
        },
    },
    "cryptoquant": {
        "status": {"code": 200, "message": "success"},
        "result": {
            "window": "hour",
            "data": [
                {"datetime": "2026-05-28 20:00:00", "netflow_total": 12.5},
                {"datetime": "2026-05-28 19:00:00", "netflow_total": -1_500_000.25},
                {"datetime": "2026-05-28 18:00:00", "netflow_total": 900_000},
            ],
        },
    },
    "glassnode": [
        {"t": 1_779_991_200, "v": -25_000_000.5},  # 18:00
        {"t": 1_779_994_800, "v": 4_000_000},
        {"t": 1_779_998_400, "v": 10.0},  # 20:00, not over
    ],
    "nansen": {
        "data": [
            {
                "chain": "ethereum",
                "block_timestamp": "2026-05-28T20:10:00",
                "transaction_hash": "0x5f1d",
                "trader_address": "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
                "trader_address_label": "Smart Trader",
                "token_bought_symbol": "PEPE",
                "token_sold_symbol": "WETH",
                "token_bought_amount": 1e9,
                "token_sold_amount": 3.5,
                "trade_value_usd": 12_500.0,
            }
        ],
        "pagination": {"page": 1, "per_page": 100, "is_last_page": True},
    },
    "arkham": {"transfers": [_ARKHAM_MOVE], "count": 1},
    "lunarcrush": {
        "config": {"generated": 1_779_999_900, "sort": "market_cap_rank"},
        "data": [
            {
                "symbol": "BTC",
                "market_cap_rank": 1,
                "interactions_24h": 180_000_000,
                "social_volume_24h": 350_000,
                "sentiment": 75,
            },
            {
                "symbol": "SOL",
                "market_cap_rank": 6,
                "interactions_24h": 20_000_000,
                "social_volume_24h": 50_000,
                "sentiment": 40,
            },
        ],
    },
    "x_mentions": {
        "data": [
            {
                "start": "2026-05-28T18:27:00.000Z",  # part of an hour
                "end": "2026-05-28T19:00:00.000Z",
                "tweet_count": 700,
            },
            {
                "start": "2026-05-28T19:00:00.000Z",
                "end": "2026-05-28T20:00:00.000Z",
                "tweet_count": 1_450,
            },
        ],
        "meta": {"total_tweet_count": 2_150},
    },
    "reddit": {
        "kind": "Listing",
        "data": {
            "after": None,
            "children": [
                {
                    "kind": "t3",
                    "data": {
                        "name": "t3_1abcde",
                        "title": "Solana crashes after exploit, validators scramble",
                        "subreddit": "CryptoCurrency",
                        "created_utc": 1_779_999_000.0,
                        "selftext": "a long text",
                        "author": "somebody",
                        "score": 12,
                    },
                }
            ],
        },
    },
    "fear_greed": {
        "name": "Fear and Greed Index",
        "data": [
            {"value": "22", "value_classification": "Extreme Fear", "timestamp": "1779926400"},
            {"value": "31", "value_classification": "Fear", "timestamp": "1779840000"},
        ],
        "metadata": {"error": None},
    },
    "coingecko": {
        "data": {
            "total_market_cap": {"usd": 2_283_490_133_020.0},
            "market_cap_percentage": {"btc": 51.2, "eth": 12.4},
            "updated_at": 1_779_999_700,
        }
    },
    "gdelt": {
        "query_details": {"title": "bitcoin", "date_resolution": "15m"},
        "timeline": [
            {
                "series": "Average Tone",
                "data": [
                    {"date": "20260528T193000Z", "value": -1.25},
                    {"date": "20260528T194500Z", "value": 0},  # no article
                    {"date": "20260528T200000Z", "value": 2.5},
                    {"date": "20260528T201500Z", "value": 9.0},  # not over
                ],
            }
        ],
    },
    "news_rss": _RSS,
    "fred": {
        "observations": [
            {"realtime_start": "2026-05-28", "date": "2026-05-27", "value": "7691.76"},
            {"realtime_start": "2026-05-28", "date": "2026-05-26", "value": "7745.06"},
            {"realtime_start": "2026-05-28", "date": "2026-05-25", "value": "."},  # a holiday
        ]
    },
    "yahoo_chart": {
        "chart": {
            "result": [
                {
                    "meta": {
                        "symbol": "ES=F",
                        "regularMarketTime": 1_779_999_990,
                        "regularMarketPrice": 7_695.0,
                    },
                    "timestamp": [1_779_999_300, 1_779_999_600, 1_779_999_900],
                    "indicators": {"quote": [{"close": [7_690.0, None, 7_695.0]}]},
                }
            ],
            "error": None,
        }
    },
    "alpha_vantage": {
        "Meta Data": {"2. Symbol": "SPY", "3. Last Refreshed": "2026-05-28"},
        "Time Series (Daily)": {
            "2026-05-28": {"1. open": "769.0", "4. close": "771.0"},  # not over
            "2026-05-27": {"1. open": "772.0", "4. close": "769.1"},
            "2026-05-26": {"1. open": "770.0", "4. close": "774.5"},
        },
    },
}
