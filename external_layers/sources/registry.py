"""The outside sources, as an explicit list: a new one is a new file and a line here."""

from typing import Final

from external_layers.sources import (
    alpha_vantage,
    arkham,
    blockchain_com,
    coingecko,
    cryptoquant,
    defillama,
    dexscreener,
    etherscan,
    fear_greed,
    fred,
    gdelt,
    glassnode,
    lunarcrush,
    mempool_space,
    nansen,
    news_rss,
    reddit,
    solana_rpc,
    tron,
    whale_alert,
    whale_alert_stream,
    x_mentions,
    yahoo_chart,
)
from external_layers.sources.spec import Source

SOURCES: Final[tuple[Source, ...]] = (
    # On-chain, free; one needs a free key.
    Source(etherscan.SPEC, etherscan.fetch, etherscan.parse),
    Source(mempool_space.SPEC, mempool_space.fetch, mempool_space.parse),
    Source(blockchain_com.SPEC, blockchain_com.fetch, blockchain_com.parse),
    Source(tron.SPEC, tron.fetch, tron.parse),
    Source(solana_rpc.SPEC, solana_rpc.fetch, solana_rpc.parse),
    Source(defillama.SPEC, defillama.fetch, defillama.parse),
    Source(dexscreener.SPEC, dexscreener.fetch, dexscreener.parse),
    # On-chain, with a key.
    Source(whale_alert.SPEC, whale_alert.fetch, whale_alert.parse),
    Source(whale_alert_stream.SPEC, whale_alert_stream.fetch, whale_alert_stream.parse),
    Source(cryptoquant.SPEC, cryptoquant.fetch, cryptoquant.parse),
    Source(glassnode.SPEC, glassnode.fetch, glassnode.parse),
    Source(nansen.SPEC, nansen.fetch, nansen.parse),
    Source(arkham.SPEC, arkham.fetch, arkham.parse),
    # Sentiment, with a key.
    Source(lunarcrush.SPEC, lunarcrush.fetch, lunarcrush.parse),
    Source(x_mentions.SPEC, x_mentions.fetch, x_mentions.parse),
    Source(reddit.SPEC, reddit.fetch, reddit.parse),
    # Sentiment and macro, free; two need a free key.
    Source(fear_greed.SPEC, fear_greed.fetch, fear_greed.parse),
    Source(coingecko.SPEC, coingecko.fetch, coingecko.parse),
    Source(gdelt.SPEC, gdelt.fetch, gdelt.parse),
    Source(news_rss.SPEC, news_rss.fetch, news_rss.parse),
    Source(fred.SPEC, fred.fetch, fred.parse),
    Source(yahoo_chart.SPEC, yahoo_chart.fetch, yahoo_chart.parse),
    Source(alpha_vantage.SPEC, alpha_vantage.fetch, alpha_vantage.parse),
)
