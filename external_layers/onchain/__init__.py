"""The on-chain layer: what whales, exchanges, stablecoins and smart wallets say.

`COMPONENTS` is the explicit list, one file for each. A new one is a new file and a line here.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from external_layers.evidence import Evidence
from external_layers.onchain.exchange_flow import exchange_flow
from external_layers.onchain.inputs import Coin, Stablecoins
from external_layers.onchain.smart_money import smart_money
from external_layers.onchain.stablecoin_flow import stablecoin_flow
from external_layers.onchain.whale_movements import whale_movements

LAYER: Final = "onchain"

CoinRule: TypeAlias = Callable[[Coin, int], Evidence]
StablecoinRule: TypeAlias = Callable[[Stablecoins, int], Evidence]


class OnChainComponent(NamedTuple):
    """One component of the layer.

    Attributes
    ----------
    name
        Its name in weights, archive and reports.
    coin
        What it says of a token at an instant, epoch milliseconds; None when it speaks for the whole
        market alone.
    stablecoins
        What it says of the whole market from all stablecoins.
    """

    name: str
    coin: CoinRule | None = None
    stablecoins: StablecoinRule | None = None


COMPONENTS: Final[tuple[OnChainComponent, ...]] = (
    OnChainComponent("whale_movements", coin=whale_movements),
    OnChainComponent("exchange_flow", coin=exchange_flow),
    OnChainComponent("stablecoin_flow", stablecoins=stablecoin_flow),
    OnChainComponent("smart_money", coin=smart_money),
)
