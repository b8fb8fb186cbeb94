"""One valid answer per free on-chain source, in the shape of its documentation."""

from typing import Any, Final

BINANCE_EVM: Final = "0x28c6c06298d514db089934071355e5743bf21d60"
BINANCE_BTC: Final = "bc1qm34lsc65zpw79lxes69zkqmk6ee3ewf0j77s3h"
KRAKEN_BTC: Final = "bc1qnhmemsqfhycvp6g50v732h7wfwdt68el4ux5ttu8xwsrzngmxv0qr55aga"
BINANCE_TRON: Final = "TMuA6YqfCeX8EhbfYEg5y7S4DqzSJireY9"
BINANCE_SOLANA: Final = "5tzFkiKscXHK5ZXCGbXZxdw7gTjjD1mBwuoFbhUvuAi9"
SOMEBODY_EVM: Final = "0x00000000219ab540356cbb839cbe05303d7705fa"
SOMEBODY_BTC: Final = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
OTHER_BTC: Final = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
SOMEBODY_TRON: Final = "TWd4WrZ9wn84f5x1hZhL4DHvk738ns5jwc"
SOMEBODY_SOLANA: Final = "4Nd1mYwJ7rM3Gm4eCzRSyd3b9jpQVgwqpV9UjMPYC3sX"
USDT_EVM: Final = "0xdac17f958d2ee523a2206206994597c13d831ec7"
USDT_TRON: Final = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
USDC_SOLANA: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"

CHAIN_SAMPLES: Final[dict[str, Any]] = {
    "etherscan": {
        "status": "1",
        "message": "OK",
        "result": [
            {
                "blockNumber": "25200000",
                "timeStamp": "1779999600",
                "hash": "0xe8c208398bd5ae8e4c237658580db56a2a94dfa0ca382c99b776fa6e7d31d5b4",
                "nonce": "10034",
                "blockHash": "0xd4167cf02c45bb9a47a9a1d7b2a48a6d3b1d9a2b1b1dbf1be4d4b0f7a5b51c0a",
                "from": BINANCE_EVM,
                "contractAddress": USDT_EVM,
                "to": SOMEBODY_EVM,
                "value": "2300000500000",
                "tokenName": "Tether USD",
                "tokenSymbol": "USDT",
                "tokenDecimal": "6",
                "transactionIndex": "4",
                "gas": "207128",
                "gasPrice": "1020000000",
                "gasUsed": "63197",
                "cumulativeGasUsed": "1209000",
                "input": "deprecated",
                "confirmations": "31",
            }
        ],
    },
    "mempool_space": [
        {
            "txid": "f2b7b9c2d1c1a6a7a3b1c8f8b6a4b2f5c0d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1",
            "version": 2,
            "locktime": 0,
            "vin": [
                {
                    "txid": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
                    "vout": 0,
                    "prevout": {
                        "scriptpubkey_type": "v0_p2wpkh",
                        "scriptpubkey_address": BINANCE_BTC,
                        "value": 50_000_000_000,
                    },
                    "is_coinbase": False,
                    "sequence": 4_294_967_293,
                }
            ],
            "vout": [
                {"scriptpubkey_address": SOMEBODY_BTC, "value": 10_000_000_000},
                {"scriptpubkey_address": BINANCE_BTC, "value": 39_999_990_000},
            ],
            "size": 222,
            "weight": 561,
            "fee": 10_000,
            "status": {
                "confirmed": True,
                "block_height": 951_000,
                "block_hash": "00000000000000000001a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7",
                "block_time": 1_779_999_700,
            },
        }
    ],
    "blockchain_com": {
        "hash": "00000000000000000001a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7",
        "prev_block": "0000000000000000000091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6",
        "time": 1_779_999_700,
        "height": 951_000,
        "n_tx": 2,
        "tx": [
            {
                "hash": "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90",
                "inputs": [{"sequence": 4_294_967_295, "prev_out": None, "script": "03"}],
                "out": [{"addr": OTHER_BTC, "value": 315_000_000, "n": 0, "spent": False}],
                "time": 1_779_999_700,
            },
            {
                "hash": "f2b7b9c2d1c1a6a7a3b1c8f8b6a4b2f5c0d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1",
                "inputs": [{"prev_out": {"addr": BINANCE_BTC, "value": 50_000_000_000, "n": 0}}],
                "out": [
                    {"addr": SOMEBODY_BTC, "value": 10_000_000_000, "n": 0},
                    {"addr": BINANCE_BTC, "value": 39_999_990_000, "n": 1},
                ],
                "time": 1_779_999_650,
            },
        ],
    },
    "tron": {
        "data": [
            {
                "transaction_id": "4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3",
                "token_info": {
                    "symbol": "USDT",
                    "address": USDT_TRON,
                    "decimals": 6,
                    "name": "Tether USD",
                },
                "block_timestamp": 1_779_999_642_000,
                "from": SOMEBODY_TRON,
                "to": BINANCE_TRON,
                "type": "Transfer",
                "value": "1500000000000",
            }
        ],
        "success": True,
        "meta": {"at": 1_779_999_990_000, "page_size": 1},
    },
    "solana_rpc": {
        "jsonrpc": "2.0",
        "result": {
            "blockTime": 1_779_999_900,
            "slot": 350_000_000,
            "version": 0,
            "meta": {
                "err": None,
                "fee": 5_000,
                "preBalances": [2_000_000_000_000, 1_000_000_000, 2_039_280],
                "postBalances": [1_499_999_995_000, 501_000_000_000, 2_039_280],
                "preTokenBalances": [
                    {
                        "accountIndex": 2,
                        "mint": USDC_SOLANA,
                        "owner": SOMEBODY_SOLANA,
                        "uiTokenAmount": {"amount": "7000000", "decimals": 6},
                    }
                ],
                "postTokenBalances": [
                    {
                        "accountIndex": 2,
                        "mint": USDC_SOLANA,
                        "owner": SOMEBODY_SOLANA,
                        "uiTokenAmount": {"amount": "7000000", "decimals": 6},
                    }
                ],
            },
            "transaction": {
                "signatures": [
                    "5h6xBEauJ3PK6SWCZ1PGjBvj8vDdWG3KpwATGy1ARAXFSDwt8GFXM7W5Ncn16wmqokgpiKRLuS83KUxyZyv2sUYv"
                ],
                "message": {
                    "accountKeys": [
                        {"pubkey": BINANCE_SOLANA, "signer": True, "writable": True},
                        {"pubkey": SOMEBODY_SOLANA, "signer": False, "writable": True},
                        {"pubkey": "DxeYg4UPtJmvNoz3Mo3n5ZKzhtcCUonZqZ2M5nc6oxpA"},
                    ]
                },
            },
        },
        "id": 1,
    },
    "defillama": [
        {
            "date": "1779840000",
            "totalCirculating": {"peggedUSD": 309_000_000_000, "peggedEUR": 500_000_000},
            "totalCirculatingUSD": {"peggedUSD": 309_000_000_000.0, "peggedEUR": 580_000_000.0},
        },
        {
            "date": "1779926400",
            "totalCirculating": {"peggedUSD": 310_000_000_000, "peggedEUR": 500_000_000},
            "totalCirculatingUSD": {"peggedUSD": 310_000_000_000.0, "peggedEUR": 581_000_000.0},
        },
    ],
    "dexscreener": [
        {
            "chainId": "solana",
            "dexId": "raydium",
            "url": "https://dexscreener.com/solana/ep2ib6dydeeqd8mfe2ezhcxx3kp3k2elkkirfpm5eymx",
            "pairAddress": "EP2ib6dYdEeqD8MfE2ezHCxX3kP3K2eLKkirfPm5eyMx",
            "baseToken": {
                "address": "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm",
                "name": "dogwifhat",
                "symbol": "$WIF",
            },
            "quoteToken": {
                "address": "So11111111111111111111111111111111111111112",
                "name": "Wrapped SOL",
                "symbol": "SOL",
            },
            "priceUsd": "0.31",
            "txns": {"m5": {"buys": 9, "sells": 4}, "h1": {"buys": 140, "sells": 60}},
            "volume": {"h24": 1_200_000.0, "h1": 41_000.0},
            "liquidity": {"usd": 4_100_000.0, "base": 6_000_000, "quote": 11_000},
        }
    ],
}
