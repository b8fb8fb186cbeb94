"""All outside providers, as an explicit map: a new one is a method and a line here.

A provider is found at ``/outside/<its name>/<path>``, whole URLs at
``/outside/<its name>/<host>/<path>``. What it says is a function of the market's seed and time, and
of what has been set by ``POST /control/outside`` (see `script`). Any key is good enough where one
is needed; without it the answer is 401.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from external_layers.replay.answer import Answer
from external_layers.replay.market import ReplayMarket
from external_layers.replay.outside.accounts import Accounts
from external_layers.replay.outside.alerts import Alerts
from external_layers.replay.outside.asked import NOBODY_THERE, Answerer, Asked, Refused
from external_layers.replay.outside.bitcoin import Bitcoin
from external_layers.replay.outside.crowd import Crowd
from external_layers.replay.outside.macro import Macro
from external_layers.replay.outside.markets import Markets
from external_layers.replay.outside.movements import Movements
from external_layers.replay.outside.paid_chain import PaidChain
from external_layers.replay.outside.press import Press
from external_layers.replay.outside.scene import Scene
from external_layers.replay.outside.script import Script, WhaleFact, order_of
from external_layers.replay.outside.solana import Solana
from external_layers.replay.outside.spoiled import spoiled

PREFIX: Final = "/outside/"
_CONDITION: Final = "if-none-match"


class OutsideWorld:
    """The providers.

    Parameters
    ----------
    market
        The market that the world is consistent with.
    """

    def __init__(self, market: ReplayMarket) -> None:
        self.script = Script()
        scene = Scene(market, self.script)
        self._scene = scene
        self._movements = movements = Movements(scene)
        bitcoin, accounts = Bitcoin(scene, movements), Accounts(scene, movements)
        solana, paid = Solana(scene, movements), PaidChain(scene, movements)
        markets, macro, crowd, press = Markets(scene), Macro(scene), Crowd(scene), Press(scene)
        self.alerts = Alerts(scene, movements)
        self.answerers: dict[str, Answerer] = {
            # Chains.
            "etherscan": accounts.etherscan,
            "mempool_space": bitcoin.mempool_space,
            "blockchain_com": bitcoin.blockchain_com,
            "trongrid": accounts.trongrid,
            "solana_rpc": solana.answer,
            "defillama": markets.defillama,
            "dexscreener": markets.dexscreener,
            # Chains, sold.
            "whale_alert": paid.whale_alert,
            "whale_alert_stream": self.alerts.refuse,
            "cryptoquant": paid.cryptoquant,
            "glassnode": paid.glassnode,
            "nansen": paid.nansen,
            "arkham": paid.arkham,
            # Mood and press.
            "lunarcrush": crowd.lunarcrush,
            "x": crowd.x,
            "reddit": press.reddit,
            "alternative_me": crowd.alternative_me,
            "coingecko": markets.coingecko,
            "gdelt": crowd.gdelt,
            "news_rss": press.news_rss,
            # Macro.
            "fred": macro.fred,
            "yahoo": macro.yahoo,
            "alpha_vantage": macro.alpha_vantage,
        }

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to a request, whose path is the market's; spoiled where that is set."""
        provider, _, path = asked.path.removeprefix(PREFIX).partition("/")
        answerer = self.answerers.get(provider)
        if answerer is None:
            return Answer({"error": NOBODY_THERE, "known": sorted(self.answerers)}, 404)
        rule = self.script.spoiler(asked.path)
        headers = dict(asked.headers)
        if rule is not None:
            headers.pop(_CONDITION, None)
        try:
            answer = answerer(replace(asked, path=f"/{path}", headers=headers))
        except Refused as error:
            return Answer(error.body, error.status)
        return answer if rule is None else spoiled(answer, rule)

    def control(self, body: Any) -> None:
        """Obey the body of a control; ValueError (pydantic's own too) when it makes no sense."""
        order = order_of(body)
        if isinstance(order, WhaleFact):
            self._movements.check(order)
        self.script.obey(order, self._scene.now_ms)

    def state(self) -> Mapping[str, Any]:
        """Return what has been set, for `/control/state`."""
        return self.script.state()

    def clear(self) -> None:
        """Take back what has been set."""
        self.script.clear()
