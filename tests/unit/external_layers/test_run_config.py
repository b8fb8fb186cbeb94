"""The sidecar reads the bot's own files and variables, and names what is wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from external_layers.run_config import RunConfig, run_config
from scalp_strategy.errors import ConfigError

TOKEN = "0123456789abcdef"  # noqa: S105 - of the test


class Files:
    """Config files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[Path] = []

    def __call__(self, *contents: Any, **environment: str) -> RunConfig:
        for content in contents:
            self._paths.append(self._folder / f"{len(self._paths)}.json")
            text = content if isinstance(content, str) else json.dumps(content)
            self._paths[-1].write_text(text)
        return run_config(self._paths, environment)


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    for name in ("REDIS_URL", "SCALP_LAYERS_TOKEN", "SCALP_LAYERS_EXCHANGE_URL"):
        monkeypatch.delenv(name, raising=False)
    return Files(tmp_path)


def scalp(**sidecar: Any) -> dict[str, Any]:
    return {"scalp": {"sidecar": sidecar}}


def test_without_files_there_are_defaults(read: Files) -> None:
    config = read()
    assert (config.kind, config.pairs, config.token, config.redis_url) == ("spot", (), None, None)
    assert config.data_dir == Path("user_data/layers")
    assert config.settings.sidecar.port == 8090


def test_later_files_win_and_the_bots_variables_win_over_files(
    read: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREQTRADE__SCALP__SIDECAR__PUBLISH_S", "5")
    first = {"trading_mode": "spot", "exchange": {"name": "binance"}, "user_data_dir": "/elsewhere"}
    second = {"trading_mode": "futures", "exchange": {"pair_whitelist": [BTC, "ETH/USDT:USDT"]}}
    config = read(
        first | scalp(port=1_111, publish_s=30, history_s=3_600),
        second | scalp(port=2_222, archive_dir="kept"),
        REDIS_URL="redis://127.0.0.1:6379/1",
        SCALP_LAYERS_EXCHANGE_URL="http://127.0.0.1:18080",
    )
    sidecar = config.settings.sidecar
    assert (sidecar.port, sidecar.publish_s, sidecar.history_s) == (2_222, 5, 3_600)
    assert (config.kind, config.pairs) == ("futures", (BTC, "ETH/USDT:USDT"))
    assert config.data_dir == Path("/elsewhere/kept")
    assert config.exchange.rest == config.derivatives.rest == "http://127.0.0.1:18080"
    assert config.redis_url == "redis://127.0.0.1:6379/1"


BTC = "BTC/USDT:USDT"


def test_the_data_folder_of_the_command_wins(tmp_path: Path) -> None:
    assert run_config([], {}, tmp_path).data_dir == tmp_path


def test_spot_reads_the_futures_beside_it(read: Files) -> None:
    config = read({"trading_mode": "spot"})
    assert config.exchange.rest != config.derivatives.rest
    assert (config.exchange.kind, config.derivatives.kind) == ("spot", "futures")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"trading_mode": "margin"}, "trading_mode"),
        ({"exchange": {"name": "kraken"}}, "exchange.name"),
        ({"exchange": "binance"}, "exchange"),
        ({"exchange": {"pair_whitelist": "BTC/USDT"}}, "pair_whitelist"),
        ({"exchange": {"pair_whitelist": [1]}}, "pair_whitelist"),
        ({"scalp": {"sidecar": {"prot": 1}}}, "prot"),
        ({"scalp": {"sidecar": {"port": 70_000}}}, "port"),
        ({"scalp": {"sidecar": {"publish_s": 7}}}, "publish_s"),
        ("{", "config"),
        ("[]", "config"),
    ],
)
def test_a_wrong_value_is_named(read: Files, content: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read(content)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json"):
        run_config([Path("nowhere.json")], {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "sidecar"])  # noqa: S104
def test_other_machines_get_in_with_a_token_only(read: Files, host: str) -> None:
    with pytest.raises(ConfigError, match="SCALP_LAYERS_TOKEN"):
        read(scalp(host=host))
    assert read(SCALP_LAYERS_TOKEN=TOKEN).token == TOKEN


@pytest.mark.parametrize(
    "token", ["short", "0123456789abcde", "0123456789abcdefö", "0123456789abcdef\n"]
)
def test_a_weak_or_unsendable_token_is_refused_and_not_repeated(read: Files, token: str) -> None:
    with pytest.raises(ConfigError, match="SCALP_LAYERS_TOKEN") as caught:
        read(SCALP_LAYERS_TOKEN=token)
    assert token not in str(caught.value)


def test_a_password_in_the_exchanges_address_is_not_repeated(read: Files) -> None:
    with pytest.raises(ConfigError) as caught:
        read(SCALP_LAYERS_EXCHANGE_URL="http://me:secret@127.0.0.1")
    assert "secret" not in str(caught.value)
