"""The Freqtrade overlay and the configuration file made from it."""

import json
from pathlib import Path

from external_layers.replay.overlay import overlay

ROOT = Path(__file__).parents[4]


def addresses(node: object) -> list[str]:
    if isinstance(node, dict):
        return [text for value in node.values() for text in addresses(value)]
    return [node] if isinstance(node, str) else []


def test_the_shipped_configuration_is_the_overlay() -> None:
    shipped = json.loads((ROOT / "config" / "replay.json").read_text())
    assert shipped == overlay("http://127.0.0.1:18080")


def test_every_address_is_the_given_one() -> None:
    urls = overlay("http://127.0.0.1:5/")["exchange"]["ccxt_config"]["urls"]
    assert len(addresses(urls)) > 20
    assert all(
        text.startswith(("http://127.0.0.1:5/", "ws://127.0.0.1:5/")) for text in addresses(urls)
    )


def test_ccxt_tells_spot_from_futures_by_the_path() -> None:
    sockets = overlay("http://127.0.0.1:5")["exchange"]["ccxt_config"]["urls"]["api"]["ws"]
    assert "/stream" in sockets["spot"]
    assert "/stream" not in sockets["linear"]
    assert sockets["linear"].endswith("/ws")


def test_the_trading_mode_is_left_alone() -> None:
    options = overlay("http://127.0.0.1:5")["exchange"]["ccxt_config"]["options"]
    assert "defaultType" not in options
    assert options["fetchMarkets"]["types"] == ["spot", "linear"]
