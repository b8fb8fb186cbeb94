"""What the outside sources tell: facts, each with when it was true and when it could be known.

Units are converted once, where a payload is parsed: tokens are upper-case tickers, money is US
dollars, times are epoch milliseconds. NaN is unknown, never zero.
"""

from dataclasses import dataclass
from math import nan
from typing import Final, Literal, TypeAlias

from scalp_strategy.errors import ContractViolation

MARKET: Final = "*"  # the subject of a fact about the whole market

# Names of series, see `Reading`.
FEAR_GREED: Final = "fear_greed"  # 0..100, daily
BTC_DOMINANCE: Final = "btc_dominance"  # percent of the whole market's capitalisation
TOTAL_CAP: Final = "total_cap"  # US dollars
STABLECOIN_SUPPLY: Final = "stablecoin_supply"  # US dollars; subject = ticker or MARKET
EXCHANGE_NETFLOW: Final = "exchange_netflow"  # US dollars an hour, outflow minus inflow, by token
NEWS_TONE: Final = "news_tone"  # -1..1, mean tone of the press
SP500: Final = "sp500"  # daily close
DOLLAR_INDEX: Final = "dollar_index"  # daily
TREASURY_10Y: Final = "treasury_10y"  # percent, daily
VIX: Final = "vix"  # daily close
SP500_NOW: Final = "sp500_now"  # the future, within the day
DOLLAR_INDEX_NOW: Final = "dollar_index_now"  # within the day
DEX_BUYS: Final = "dex_buys"  # trades of the last hour that bought the token, by token
DEX_SELLS: Final = "dex_sells"
SERIES: Final = (
    FEAR_GREED,
    BTC_DOMINANCE,
    TOTAL_CAP,
    STABLECOIN_SUPPLY,
    EXCHANGE_NETFLOW,
    NEWS_TONE,
    SP500,
    DOLLAR_INDEX,
    TREASURY_10Y,
    VIX,
    SP500_NOW,
    DOLLAR_INDEX_NOW,
    DEX_BUYS,
    DEX_SELLS,
)

PartyKind = Literal["exchange", "smart", "issuer", "wallet"]
Direction = Literal["deposit", "withdrawal", "between_exchanges", "between_wallets"]
Feed = Literal["transfers", "smart_trades", "stories", "mentions"]


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a transfer.

    Attributes
    ----------
    kind
        ``"exchange"``, ``"smart"`` (a wallet known to trade well), ``"issuer"`` (mints and burns)
        or ``"wallet"`` (anybody else, unknown ones included).
    label
        E.g. ``"Binance"`` or ``"unknown wallet"``.
    address
        As the chain writes it; empty when the source does not tell.
    """

    kind: PartyKind
    label: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A movement of tokens between two parties.

    Attributes
    ----------
    amount
        In tokens, above 0.
    amount_usd
        Its value when it happened; NaN when the source does not tell it.
    observed_at_ms
        The block's time; when it was first seen, where it is not in a block yet.
    """

    token: str
    amount: float
    amount_usd: float
    origin: Party
    target: Party
    blockchain: str
    tx_hash: str
    observed_at_ms: int
    available_at_ms: int

    @property
    def direction(self) -> Direction:
        """What it is to an exchange; a transfer within one exchange is between exchanges too."""
        ends = (self.origin.kind == "exchange", self.target.kind == "exchange")
        names: dict[tuple[bool, bool], Direction] = {
            (False, True): "deposit",
            (True, False): "withdrawal",
            (True, True): "between_exchanges",
            (False, False): "between_wallets",
        }
        return names[ends]

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What makes it the same transfer when two sources tell of it."""
        return (
            self.blockchain,
            self.tx_hash.lower().removeprefix("0x"),
            self.token,
            self.origin.address.lower(),
            self.target.address.lower(),
        )


@dataclass(frozen=True, slots=True)
class WalletTrade:
    """A trade of a wallet that is known to trade well; `amount_usd` may be NaN."""

    token: str
    side: Literal["buy", "sell"]
    amount_usd: float
    wallet: str
    label: str
    blockchain: str
    tx_hash: str
    observed_at_ms: int
    available_at_ms: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a series, e.g. ``Reading("fear_greed", "*", 22.0, ...)``.

    `observed_at_ms` of a daily value is the start of its UTC day.
    """

    series: str
    subject: str
    value: float
    observed_at_ms: int
    available_at_ms: int

    def __post_init__(self) -> None:
        if self.series not in SERIES:
            raise ContractViolation(f"no series of that name: {self.series!r}")


@dataclass(frozen=True, slots=True)
class Story:
    """A headline: `tokens` it is about (empty = the market at large), `polarity` -1..1."""

    id: str
    title: str
    publisher: str
    tokens: tuple[str, ...]
    polarity: float
    observed_at_ms: int
    available_at_ms: int


@dataclass(frozen=True, slots=True)
class Mentions:
    """How often a token was named on a social platform in the `span_s` before `observed_at_ms`.

    Attributes
    ----------
    platform
        Counts of one platform are compared with its own past only.
    count
        Mentions in the span, not negative.
    polarity
        Mean -1..1, NaN = unknown.
    influence
        Mean weight of those who spoke: 1 = as usual, above = the influential; NaN = unknown.
    """

    platform: str
    token: str
    count: float
    span_s: float
    polarity: float
    observed_at_ms: int
    available_at_ms: int
    influence: float = nan


@dataclass(frozen=True, slots=True)
class Watched:
    """A source has looked: whatever it could tell of a subject is told up to an instant.

    So "nothing happened" can be told from "nobody looked". `subject` is a token or `MARKET`.
    """

    feed: Feed
    subject: str
    source: str
    observed_at_ms: int
    available_at_ms: int


Fact: TypeAlias = Transfer | WalletTrade | Reading | Story | Mentions | Watched
