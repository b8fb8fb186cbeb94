"""The host's own bot with our Telegram: built, looped, built anew, over a market on loopback."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode, State
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

from external_layers.replay.overlay import overlay
from tests.support.bot import PROJECT, make_user_folder
from tests.support.bot_api import BotApi, running_bot_api
from tests.support.market import running_market

TOKEN: Final = "1000:secret-of-the-bot"  # noqa: S105
ADMIN: Final = 42
MOST_LOOPS: Final = 100
PAIRS: Final = ["SOL/USDT:USDT", "ETH/USDT:USDT"]


@dataclass
class Running:
    """A bot of the host's in this process, and its chat."""

    config: dict[str, Any]
    api: BotApi
    bot: FreqtradeBot
    seen: int = 0

    def build(self) -> None:
        """Build the bot anew, as `/reload_config` does."""
        self.bot.cleanup()
        self.bot = started(self.config, self.api)
        self.seen = len(self.api.history(TOKEN, ADMIN))

    def answer(self, text: str) -> str:
        self.seen = len(self.api.history(TOKEN, ADMIN))
        self.api.say(TOKEN, ADMIN, text)
        self.api.wait_for(
            lambda: len(self.api.history(TOKEN, ADMIN)) > self.seen, f"an answer to {text}"
        )
        return self.api.history(TOKEN, ADMIN)[self.seen].text

    def loop_until(self, wanted: Callable[[], bool]) -> None:
        for _ in range(MOST_LOOPS):
            if wanted():
                return
            self.bot.process()
        raise AssertionError(f"not within {MOST_LOOPS} loops")

    def is_told(self, words: str) -> None:
        self.api.wait_for(
            lambda: [one for one in self.api.texts(TOKEN, ADMIN) if words in one], words
        )


def started(config: dict[str, Any], api: BotApi) -> FreqtradeBot:
    polls = len(api.calls_of("getUpdates"))
    bot = FreqtradeBot(deepcopy(config))  # the host changes its config while it starts
    bot.state = State.RUNNING
    api.wait_for(lambda: len(api.calls_of("getUpdates")) > polls, "the bot listens")
    return bot


def config_of(folder: Path, market_url: str, api: BotApi) -> dict[str, Any]:
    make_user_folder(folder)
    own = {
        "exchange": {"pair_whitelist": PAIRS},
        "db_url": "sqlite://",
        "api_server": {"enabled": False},
        "scalp": {
            "telegram": {"min_interval_s": 0.0, "retry_first_s": 0.01},
            # More than the technical layer gives alone, so that nothing is traded.
            "confluence": {"medium_threshold": 90.0, "high_threshold": 95.0},
        },
        "telegram": {
            "enabled": True, "token": TOKEN, "chat_id": str(ADMIN), "base_url": api.base_url,
        },
    }  # fmt: skip
    (folder / "replay.json").write_text(json.dumps(overlay(market_url)))
    (folder / "test.json").write_text(json.dumps(own))
    shipped = [PROJECT / "config" / f"{name}.json" for name in ("base", "futures", "dry-run")]
    files = [*shipped, folder / "replay.json", folder / "test.json"]
    arguments = {"config": [str(file) for file in files], "user_data_dir": str(folder)}
    return Configuration(arguments, RunMode.DRY_RUN).get_config()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bot")
    with running_market("--seed", "7") as url, running_bot_api() as api:
        api.add_bot(TOKEN, [ADMIN])
        config = config_of(folder, url, api)
        one = Running(config, api, started(config, api))
        try:
            yield one
        finally:
            one.bot.cleanup()
            Trade.session.remove()


def modules(running: Running) -> list[Any]:
    return running.bot.rpc.registered_modules


def test_the_host_uses_ours_under_its_own_name(running):
    (telegram,) = modules(running)
    assert telegram.name == "telegram"
    assert type(telegram).__module__ == "scalp_strategy.telegram.bot"
    assert running.bot.strategy.telegram_bot is telegram


def test_a_loop_later_a_pair_is_explained_with_a_chart(running):
    running.bot.startup()
    running.bot.process()
    text = running.answer("/why SOL")
    assert text.startswith("🔎 SOL/USDT:USDT")
    assert "TA: long" in text
    running.api.wait_for(
        lambda: [one for one in running.api.history(TOKEN, ADMIN) if one.photo], "the chart"
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/start", "on paper, futures"),
        ("/open", "No open trades."),
        ("/heat", "Portfolio Heat: 0.0% / 6%"),
        ("/pnl", "Equity: 9900.00 → 9900.00 USDT"),
        ("/sources", "Journal: written"),
        ("/ft_help", "/forceexit"),
        ("/ft_start", "already running"),
        ("/whitelist", "SOL/USDT:USDT"),
        ("/show_config", "ScalpStrategy"),
        ("/balance", "USDT"),
        ("/status", "no active trade"),
        ("/count", "current"),
        ("/locks", "No active locks"),
        ("/blacklist", "Blacklist contains"),
        ("/profit", "trades"),
        ("/daily", "USDT"),
        ("/version", "Version"),
    ],
)
def test_ours_and_the_host_s_commands(running, command, words):
    assert words.lower() in running.answer(command).lower()


def test_messages_of_the_strategy_reach_the_chat(running):
    running.bot.strategy.dp.send_msg("a message of *somebody_", always_send=True)
    running.bot.rpc.process_msg_queue(running.bot.dataprovider._msg_queue)
    running.is_told("a message of *somebody_")


def asked(running: Running, text: str, *, is_paused: bool) -> list[str]:
    """Ask for something that the loop does, let it loop, and return what was told since."""
    count = len(running.api.history(TOKEN, ADMIN))
    running.api.say(TOKEN, ADMIN, text)
    running.api.wait_for(lambda: running.api.is_taken(TOKEN), "the request is read")
    account = running.bot.strategy.engine.account
    running.loop_until(lambda: account.state.is_paused is is_paused)
    running.is_told(f"Signal generation {'PAUSED' if is_paused else 'RESUMED'}.")
    return [one.text for one in running.api.history(TOKEN, ADMIN)[count:]]


def test_a_pause_asked_in_the_chat_is_done_by_the_loop(running):
    asked(running, "/pause too much news", is_paused=True)
    running.is_told("SIGNALS PAUSED BY")
    assert "too much news" in running.answer("/start")


def test_a_bot_that_is_built_anew_has_one_chat_again(running):
    before = running.bot.strategy.telegram_bot
    running.build()
    (telegram,) = modules(running)
    assert telegram is not before
    assert type(telegram) is type(before)
    assert not before._thread.is_alive()
    assert "PAUSED" in running.answer("/start")
    asked(running, "/resume", is_paused=False)
    assert "Signals: on" in running.answer("/start")
