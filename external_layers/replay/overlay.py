"""The Freqtrade configuration that sends every exchange call to a replay market."""

from typing import Any


def overlay(base_url: str) -> dict[str, Any]:
    """Return the overlay for ``freqtrade --config base.json --config overlay.json``.

    Parameters
    ----------
    base_url
        Address of the replay market, e.g. ``"http://127.0.0.1:18080"``.

    Returns
    -------
    dict
        Every REST and websocket address of the exchange replaced, for spot and futures alike;
        keys and secrets emptied, candle archives on the internet switched off. Which market is
        traded stays the business of the other configuration files.
    """
    http = base_url.rstrip("/")
    socket = "ws" + http.removeprefix("http")
    return {
        "exchange": {
            "name": "binance",
            "key": "",
            "secret": "",
            "only_from_ccxt": True,
            "ccxt_config": {
                "enableRateLimit": False,
                "options": {
                    "fetchMarkets": {"types": ["spot", "linear"]},
                    "fetchCurrencies": False,
                    "fetchMargins": False,
                },
                "urls": {"api": {**_rest(http), "ws": _streams(socket)}},
            },
        }
    }


def _rest(http: str) -> dict[str, str]:
    paths = {
        "public": "api/v3",
        "private": "api/v3",
        "v1": "api/v1",
        "sapi": "sapi/v1",
        "sapiV2": "sapi/v2",
        "sapiV3": "sapi/v3",
        "sapiV4": "sapi/v4",
        "fapiPublic": "fapi/v1",
        "fapiPublicV2": "fapi/v2",
        "fapiPublicV3": "fapi/v3",
        "fapiPrivate": "fapi/v1",
        "fapiPrivateV2": "fapi/v2",
        "fapiPrivateV3": "fapi/v3",
        "fapiData": "futures/data",
        "dapiPublic": "dapi/v1",
        "dapiPrivate": "dapi/v1",
        "dapiPrivateV2": "dapi/v2",
        "dapiData": "futures/data",
        "eapiPublic": "eapi/v1",
        "eapiPrivate": "eapi/v1",
        "papi": "papi/v1",
        "papiV2": "papi/v2",
    }
    return {name: f"{http}/{path}" for name, path in paths.items()}


def _streams(socket: str) -> dict[str, Any]:
    return {
        "spot": f"{socket}/stream/ws",
        "margin": f"{socket}/stream/ws",
        "linear": f"{socket}/fstream/ws",
        "inverse": f"{socket}/dstream/ws",
        "ws-api": {
            "spot": f"{socket}/ws-api/v3",
            "linear": f"{socket}/ws-fapi/v1",
            "inverse": f"{socket}/ws-dapi/v1",
        },
    }
