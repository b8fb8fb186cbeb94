"""Words of crypto news and how they sound: data for `polarity`.

Scores are on VADER's scale, -4..4: 1 = mild, 2 = plain, 3 = strong, seen by somebody who holds the
token.
"""

from typing import Final

# Words that general English hears as kind or hostile and that say nothing here.
NEUTRAL: Final = (
    "active", "alert", "alerts", "asset", "assets", "backed", "backing", "battle", "block",
    "blocks", "care", "certain", "challenge", "challenges", "chance", "commitment", "credit",
    "creative", "credits", "cut", "defence", "defense", "determined", "dominance", "dominates",
    "energy", "entertainment", "exclusive", "fan", "fine", "free", "freedom", "fun", "gn", "grand",
    "grant", "grants", "gross", "heaven", "huge", "intelligence", "intelligent", "interest",
    "interested", "interests", "isolation", "join", "joined", "joins", "justice", "kind", "legacy",
    "like", "limited", "lol", "low", "matter", "matters", "natural", "no", "novel", "ok", "party",
    "pay", "peace", "play", "please", "pressure", "pure", "reach", "sentence", "share", "shared",
    "shares", "sharing", "security", "securities", "significance", "significant", "smart", "solid",
    "special", "spirit", "stable", "straight", "strategic", "super", "sure", "top", "treasure",
    "treasury", "treat", "trust", "united", "value", "values", "vision", "warm", "woo", "yes",
)  # fmt: skip

WORDS: Final[dict[str, float]] = {
    # prices that rise
    "ath": 2.4, "breakout": 1.8, "bullish": 2.6, "bullishly": 2.4, "bulls": 1.0, "climb": 1.4,
    "climbed": 1.4, "climbing": 1.4, "climbs": 1.4, "explodes": 2.0, "jump": 1.6, "jumped": 1.6,
    "jumps": 1.6, "moon": 1.8, "mooning": 2.4, "moonshot": 1.8, "outpace": 1.0, "outpaces": 1.0,
    "outperform": 1.6, "outperforms": 1.6, "outperforming": 1.6, "pump": 1.2, "pumped": 1.2,
    "pumping": 1.2, "pumps": 1.2, "rallied": 1.9, "rallies": 1.9, "rally": 1.9, "rallying": 1.9,
    "rebound": 1.6, "rebounded": 1.6, "rebounding": 1.6, "rebounds": 1.6, "reclaim": 1.4,
    "reclaimed": 1.4, "reclaims": 1.4, "recover": 1.3, "recovered": 1.3, "recovering": 1.3,
    "recovers": 1.3, "recovery": 1.3, "rise": 1.2, "rises": 1.2, "rising": 1.1, "rocket": 1.6,
    "rockets": 1.8, "rose": 1.2, "skyrocket": 2.2, "skyrockets": 2.2, "skyrocketed": 2.2,
    "soar": 2.2, "soared": 2.2, "soaring": 2.2, "soars": 2.2, "spike": 0.6, "spikes": 0.6,
    "surge": 1.9, "surged": 1.9, "surges": 1.9, "surging": 1.9, "undervalued": 1.4, "upside": 1.3,
    "uptrend": 1.8,
    # prices that fall
    "bearish": -2.6, "bears": -1.0, "bleed": -1.8, "bleeding": -1.8, "bleeds": -1.8,
    "bloodbath": -3.2, "bottomless": -1.5, "capitulate": -2.2, "capitulates": -2.2,
    "capitulation": -2.2, "correction": -1.2, "crashed": -2.6, "crashes": -2.6, "crash": -2.6,
    "crashing": -2.6, "crater": -2.4, "craters": -2.4, "dip": -0.9, "dips": -0.9, "dipped": -0.9,
    "dive": -1.6, "dives": -1.6, "downside": -1.3, "downtrend": -1.8, "drawdown": -1.5,
    "drop": -1.4,
    "dropped": -1.4, "dropping": -1.4, "drops": -1.4, "dump": -2.0, "dumped": -2.0, "dumping": -2.0,
    "dumps": -2.0, "fall": -1.2, "fallen": -1.2, "falling": -1.2, "falls": -1.2, "fell": -1.2,
    "liquidated": -2.0, "liquidation": -1.8, "liquidations": -1.8, "nosedive": -2.4,
    "nosedives": -2.4, "overvalued": -1.4, "plummet": -2.4, "plummeted": -2.4, "plummets": -2.4,
    "plunge": -2.3, "plunged": -2.3, "plunges": -2.3, "plunging": -2.3, "selloff": -2.0,
    "sell-off": -2.0, "shed": -1.0, "sheds": -1.0, "sink": -1.7, "sinking": -1.7, "sinks": -1.7,
    "slide": -1.3, "slides": -1.3, "sliding": -1.3, "slip": -1.0, "slipped": -1.0, "slips": -1.0,
    "slump": -1.9, "slumped": -1.9, "slumps": -1.9, "tank": -1.9, "tanked": -1.9, "tanks": -1.9,
    "tumble": -1.9, "tumbled": -1.9, "tumbles": -1.9, "tumbling": -1.9, "underperform": -1.5,
    "underperforms": -1.5,
    # money that comes and goes
    "accumulate": 1.2, "accumulates": 1.2, "accumulating": 1.2, "accumulation": 1.2, "inflow": 1.6,
    "inflows": 1.6, "offload": -1.2, "offloads": -1.2, "offloaded": -1.2, "outflow": -1.6,
    "outflows": -1.6, "unlock": -0.8, "unlocks": -0.8,
    # thieves and swindlers
    "breach": -2.4, "breached": -2.4, "compromised": -2.4, "drain": -2.2, "drained": -2.6,
    "drainer": -2.6, "drains": -2.2, "exploit": -2.8, "exploited": -2.8, "exploiter": -2.6,
    "exploits": -2.8, "fraudulent": -2.6, "hack": -2.9, "hacked": -2.9, "hacker": -2.2,
    "hackers": -2.2, "hacking": -2.4, "hacks": -2.6, "heist": -2.8, "insolvency": -2.8,
    "insolvent": -2.8, "laundered": -2.2, "laundering": -2.2, "malware": -2.2, "phishing": -2.2,
    "ponzi": -3.0, "ransomware": -2.4, "rekt": -2.4, "rug": -2.6, "rugged": -2.6, "rugpull": -3.0,
    "siphoned": -2.4, "stole": -2.4, "theft": -2.4,
    # courts and offices
    "bankruptcy": -2.8, "banned": -2.4, "bans": -2.4, "crackdown": -2.0, "fined": -2.0,
    "fines": -1.6, "forfeiture": -1.4, "freeze": -1.6, "freezes": -1.6, "frozen": -1.6,
    "halt": -1.4, "halted": -1.5, "halts": -1.5, "indicted": -2.2, "indictment": -2.2,
    "investigated": -1.4, "investigates": -1.4, "investigation": -1.4, "lawsuits": -1.6,
    "lawsuit": -1.6, "outage": -1.8, "outages": -1.8, "probe": -1.4, "probes": -1.4,
    "sanctioned": -1.8, "seize": -1.4, "seized": -1.4, "seizes": -1.4, "shutdown": -1.6,
    "subpoena": -1.6, "sue": -1.8, "sued": -1.8, "sues": -1.8, "suing": -1.8, "unregistered": -1.4,
    # what is built, listed and adopted
    "adoption": 1.4, "airdrop": 0.8, "approval": 2.2, "approve": 2.0, "approved": 2.1,
    "approves": 2.1, "buyback": 1.5, "buybacks": 1.5, "debuts": 0.7, "delist": -2.4,
    "delisted": -2.4, "delisting": -2.4, "delistings": -2.4, "delists": -2.4, "depeg": -2.6,
    "depegged": -2.6, "depegs": -2.6, "downgrade": -1.5, "downgraded": -1.5, "downgrades": -1.5,
    "greenlight": 1.8, "greenlights": 1.8, "halving": 0.9, "integrates": 1.0, "integration": 0.9,
    "launch": 0.6, "launched": 0.6, "launches": 0.7, "listed": 1.0, "listing": 1.3, "listings": 1.2,
    "lists": 1.2, "milestone": 1.4, "partnership": 1.3, "partners": 1.0, "support": 0.7,
    "supports": 0.7, "unveils": 0.7,
    "upgrade": 1.1, "upgraded": 1.1, "upgrades": 1.1,
    # how the crowd speaks
    "fomo": 0.9, "fud": -1.8, "hodl": 1.2, "hodling": 1.2, "ngmi": -1.8, "wagmi": 1.8,
    "decreasing": -1.0, "increasing": 0.8, "hawkish": -1.4, "dovish": 1.4, "recession": -2.0,
    "stagflation": -2.0, "tariff": -1.0, "tariffs": -1.0,
}  # fmt: skip

_CASE: Final = r"(?:law)?(?:suit|case|charges|appeal|probe|investigation)s?"
_FILING: Final = r"(?:etf|approval|filing|application)s?"
_SPAN: Final = r"(?:multi-?)?(?:year|month|week)s?[- ]"
_ENDS: Final = r"drop(?:s|ped)?|dismiss(?:es|ed)?|toss(?:es|ed)?|settle[sd]?|ends?|wins?|won"
_BEING: Final = r"(?:is |are |was |were )?"
_GIVES_BACK: Final = r"(?:recover(?:s|ed)?|return(?:s|ed)?)"

# Phrases that mean something else than their words; the first that fits counts.
PHRASES: Final[tuple[tuple[str, float], ...]] = (
    (rf"all[- ]time highs?|record highs?|new highs?|{_SPAN}highs?", 2.4),
    (rf"all[- ]time lows?|record lows?|new lows?|{_SPAN}lows?", -2.2),
    (r"rug[- ]?pull(?:s|ed|ing)?", -3.0),
    (r"to the moon", 2.4),
    (r"bull(?:ish)? (?:run|market|case|cycle|flag)s?", 2.0),
    (r"bear(?:ish)? (?:market|case|cycle|flag)s?", -2.0),
    (r"death cross(?:es)?", -2.0),
    (r"golden cross(?:es)?", 2.0),
    (r"short[- ]squeezes?", 1.8),
    (r"shorts? (?:worth [$\d.]+\w* )?(?:get |got |are |were )?(?:liquidated|liquidations?)", 1.6),
    (r"liquidat(?:ed|es|ing|ions? of) (?:[$\d.]+\w* (?:in|of) )?(?:bears|shorts)", 1.6),
    (r"(?:flash|market) crash(?:es)?", -2.8),
    (r"(?:hard|liquidity) forks?", 0.0),
    (r"(?:interest[- ])?rate[- ]cuts?|cuts? (?:interest )?rates", 1.5),
    (r"(?:interest[- ])?rate[- ](?:hike|increase)s?|(?:hikes?|raises?) (?:interest )?rates", -1.5),
    (r"exchange (?:net)?inflows?|inflows? (?:in)?to exchanges", -1.4),
    (r"exchange (?:net)?outflows?|outflows? from exchanges", 1.4),
    (rf"(?:{_ENDS}) (?:\w+ ){{0,2}}{_CASE}", 2.2),
    (rf"{_CASE} (?:against (?:\w+ ){{1,2}})?{_BEING}(?:dropped|dismissed|tossed|settled)", 2.2),
    (r"(?:lifts?|ends?|overturns?|reverses?) (?:\w+ ){0,2}(?:ban|sanctions)", 2.0),
    (r"(?:ban|sanctions) (?:is |are )?(?:lifted|overturned|reversed)", 2.0),
    (r"sec sues|(?:sued|charged) by (?:the )?sec|sec charges", -2.8),
    (rf"(?:rejects?|denies|delays?|postpones?) (?:\w+ ){{0,3}}{_FILING}", -2.2),
    (rf"{_FILING} (?:is |are )?(?:rejected|denied|delayed|postponed)", -2.2),
    (r"etf (?:approval|approved|inflow|launch|debut)(?:s|es)?", 2.6),
    (r"etf outflows?", -2.0),
    (rf"{_GIVES_BACK} (?:\w+ ){{0,2}}(?:stolen|hacked) (?:\w+ )?(?:funds|assets|tokens)", 1.4),
    (r"token burns?|burns? [$\d.]+\w*", 1.2),
    (r"proof[- ]of[- ]\w+|smart contracts?|security tokens?", 0.0),
    (r"fear (?:and|&) greed(?: index)?", 0.0),
    (r"den(?:y|ies|ied) (?:\w+ ){0,2}(?:hack|breach|exploit|insolvency|bankruptcy)", 0.6),
    (r"mining difficulty", 0.0),
    (r"risk[- ]off", -1.2),
    (r"risk[- ]on", 1.2),
    (r"strategic (?:bitcoin |crypto |btc )?reserves?", 1.4),
    (r"(?:breaks?|broke) (?:\w+ )?(?:above|resistance|out)", 1.6),
    (r"(?:breaks?|broke) (?:\w+ )?(?:below|support|down)", -1.6),
)  # fmt: skip
