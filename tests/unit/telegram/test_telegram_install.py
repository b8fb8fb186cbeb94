"""Our Telegram in the host's place: once, for our strategy only, never in the way of trading."""

import logging
import re
from collections import Counter
from types import SimpleNamespace

import pytest
from freqtrade.enums import RPCMessageType, State
from freqtrade.exceptions import OperationalException
from freqtrade.rpc import RPC
from freqtrade.rpc import telegram as host_telegram
from telegram.ext import CallbackQueryHandler, CommandHandler

from scalp_strategy.errors import ConfigError
from scalp_strategy.notice import Notice
from scalp_strategy.settings import Settings
from scalp_strategy.signals import SignalKey
from scalp_strategy.telegram.address import checked_base_url, second_bot
from scalp_strategy.telegram.admin import HOST_READ_ONLY, OUR_READ_ONLY, READ_ONLY_BARE
from scalp_strategy.telegram.bot import KEYBOARD
from scalp_strategy.telegram.handlers import CONFIRM
from scalp_strategy.telegram.help_text import HOST_METHODS
from scalp_strategy.telegram.install import install
from tests.support.bot_api import running_bot_api
from tests.support.bot_api_faults import answer, cut_before
from tests.support.host_stub import CLOSE, PAIR
from tests.support.live_trades import trades_in
from tests.support.telegram_host import (
    ADMIN,
    SIGNALS_TOKEN,
    TOKEN,
    running_telegram,
    strategy_of,
)

CHANNEL = -100_777
# Commands of the host that change something; one that is new to this list must be looked at.
CHANGING = {
    "start", "stop", "stopbuy", "stopentry", "pause", "forcesell", "forceexit", "fx", "forcebuy",
    "forcelong", "forceshort", "reload_trade", "delete", "coo", "cancel_open_order", "unlock",
    "delete_locks", "reload_config", "reload_conf", "blacklist_delete", "bl_delete",
}  # fmt: skip


@pytest.fixture
def api():
    with running_bot_api() as one:
        yield one


@pytest.fixture
def house(api, tmp_path):
    with running_telegram(api, tmp_path) as one:
        yield one


def host_of(strategy) -> RPC:
    return RPC(SimpleNamespace(strategy=strategy, config=strategy.config, state=State.RUNNING))


def handlers(house, kind):
    return [one for one in house.telegram._app.handlers[0] if isinstance(one, kind)]


# --------------------------------------------------------------------------------------- in place


def test_it_is_named_as_the_host_s_and_its_base_is_the_host_s():
    install()
    first = host_telegram.Telegram
    install()
    assert host_telegram.Telegram is first
    assert first.__name__ == "Telegram"
    assert first.scalp_base.__module__ == "freqtrade.rpc.telegram"
    assert not issubclass(first.scalp_base, first)


def test_another_strategy_gets_the_host_s_own(api, tmp_path, monkeypatch):
    """Strategies in one folder are all executed when one of them is looked for."""
    install()
    monkeypatch.setattr(host_telegram.Telegram.scalp_base, "_start_thread", lambda self: None)
    strategy = strategy_of(tmp_path, Settings(), {"token": TOKEN, "chat_id": str(ADMIN)})
    other = SimpleNamespace(config=strategy.config)
    plain = host_telegram.Telegram(host_of(other), other.config)
    assert type(plain) is host_telegram.Telegram.scalp_base


def test_the_strategy_knows_its_chat(house):
    assert house.strategy.telegram_bot is house.telegram
    assert house.telegram.name == "telegram"


# ------------------------------------------------------------------------------ whose commands


def test_every_command_of_the_host_was_looked_at(house):
    """One that the host adds is for admins only, and this says so."""
    all_commands = {name for one in handlers(house, CommandHandler) for name in one.commands}
    looked_at = HOST_READ_ONLY | OUR_READ_ONLY | READ_ONLY_BARE | CHANGING
    assert all_commands - looked_at == {"resume", "ft_start", "ft_pause"}
    assert looked_at <= all_commands


def test_every_button_of_the_host_was_looked_at(house):
    patterns = {one.pattern.pattern for one in handlers(house, CallbackQueryHandler)}
    assert {one for one in patterns if not one.startswith("update_")} == {
        r"force_exit__\S+", r"force_enter__\S+", f"^{CONFIRM}",
    }  # fmt: skip


def test_our_commands_win_and_the_host_s_stay_reachable(house):
    names = Counter(name for one in handlers(house, CommandHandler) for name in one.commands)
    doubled = {f"ft_{name}" for name, count in names.items() if count > 1}
    assert doubled == set(HOST_METHODS)
    shown = house.answer("/help")
    assert all(f"/{name} " in shown for name in HOST_METHODS)


def test_the_host_s_commands_answer_as_ever(house):
    assert "the code" in house.answer("/version")
    assert "current" in house.answer("/count")
    assert "/forceexit" in house.answer("/ft_help")
    assert "No trades yet." in house.answer("/ft_stats")
    assert "already running" in house.answer("/ft_start")
    assert "paused" in house.answer("/ft_pause").lower()
    assert house.host.state is State.PAUSED


# ---------------------------------------------------------------------------------------- keyboard


def shown_keyboard(house) -> list[list[str]]:
    house.answer("/heat")
    keyboard = house.api.history(TOKEN, ADMIN)[-1].keyboard
    assert keyboard is not None
    return [
        [button["text"] if isinstance(button, dict) else button for button in row]
        for row in keyboard["keyboard"]
    ]


def test_the_keyboard_has_our_commands(house):
    assert shown_keyboard(house) == KEYBOARD


def test_a_keyboard_may_mix_ours_and_the_host_s(api, tmp_path):
    rows = [["/winrate 30d", "/daily"], ["/why SOL"], ["/ft_stats", "/status table"]]
    with running_telegram(api, tmp_path, section={"keyboard": rows}) as house:
        assert shown_keyboard(house) == rows
        assert house.strategy.config["telegram"]["keyboard"] == rows


def test_a_keyboard_with_a_command_of_nobody_is_refused(tmp_path):
    install()
    section = {"token": TOKEN, "chat_id": str(ADMIN), "keyboard": [["/heat", "/nonsense"]]}
    strategy = strategy_of(tmp_path, Settings(), section)
    with pytest.raises(OperationalException, match="nonsense"):
        host_telegram.Telegram(host_of(strategy), strategy.config)


# --------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (None, ""),
        ("", ""),
        ("https://bots.example/", "https://bots.example"),
        ("https://bots.example/bot", "https://bots.example"),
        ("http://127.0.0.1:8081/bot", "http://127.0.0.1:8081"),
        ("http://[::1]:8081", "http://[::1]:8081"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_addresses_that_keep_the_token(url, base):
    assert checked_base_url(url) == base


@pytest.mark.parametrize(
    "url",
    [
        "http://bots.example", "http://127.0.0.1.bots.example", "http://127.0.0.1@bots.example",
        "ftp://127.0.0.1", "bots.example", "https://", "http://[::1", 7,
    ],
)  # fmt: skip
def test_addresses_that_would_give_it_away(url):
    with pytest.raises(ConfigError, match="base_url"):
        checked_base_url(url)


def test_a_refused_address_is_not_shown_with_its_password():
    with pytest.raises(ConfigError) as caught:
        checked_base_url("http://user:hunter2@bots.example")
    assert "hunter2" not in str(caught.value)


def test_the_host_says_which_address_it_refuses(tmp_path):
    install()
    section = {"token": TOKEN, "chat_id": str(ADMIN), "base_url": "http://bots.example"}
    strategy = strategy_of(tmp_path, Settings(), section)
    with pytest.raises(OperationalException, match="base_url"):
        host_telegram.Telegram(host_of(strategy), strategy.config)


# -------------------------------------------------------------------------------------- second bot


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("SCALP_SIGNALS_TOKEN", "SCALP_SIGNALS_CHAT_ID"),
        ("SCALP_SIGNALS_CHAT_ID", "SCALP_SIGNALS_TOKEN"),
    ],
)
def test_half_a_second_bot_is_refused_by_name_and_without_its_secret(given, missing):
    with pytest.raises(ConfigError) as caught:
        second_bot({given: "a-secret"})
    assert str(caught.value).startswith(missing)
    assert "a-secret" not in str(caught.value)
    assert second_bot({given: " "}) is None


def signal_notice() -> Notice:
    key = SignalKey(PAIR, "long", CLOSE)
    return Notice("signal:one", "signal", "<b>a signal</b>", "a signal", CLOSE, None, key)


def test_signals_go_to_the_second_bot_as_well(api, tmp_path, monkeypatch):
    api.add_bot(SIGNALS_TOKEN, [CHANNEL])
    monkeypatch.setenv("SCALP_SIGNALS_TOKEN", SIGNALS_TOKEN)
    monkeypatch.setenv("SCALP_SIGNALS_CHAT_ID", str(CHANNEL))
    with running_telegram(api, tmp_path) as house:
        house.telegram.courier.post(signal_notice())
        assert house.news() == ["a signal"]
        api.wait_for(lambda: api.texts(SIGNALS_TOKEN, CHANNEL), "the signal in the channel")
        shown = house.answer("/sources")
        assert house.answer("/heat").startswith("Portfolio Heat")
    assert re.search(r"Telegram \(signals\): well", shown)
    assert api.texts(SIGNALS_TOKEN, CHANNEL) == ["a signal"]
    assert not api.calls_of("getUpdates", token=SIGNALS_TOKEN)


# --------------------------------------------------------------------------------- what it hands on


def told(house, **message) -> None:
    house.telegram.send_msg(message)


def strategy_message(house, text: str) -> None:
    told(house, type=RPCMessageType.STRATEGY_MSG, msg=text)


def test_our_own_texts_are_brought_by_the_courier_alone(house):
    house.engine.live._own_texts.append("a signal")
    strategy_message(house, "a signal")
    strategy_message(house, "of somebody else")
    house.telegram.courier.post(signal_notice())
    assert sorted(house.news(2)) == ["a signal", "of somebody else"]


@pytest.mark.parametrize(("mode", "is_sent"), [("all", True), ("none", False)])
def test_the_host_s_trade_messages(api, tmp_path, mode, is_sent):
    with running_telegram(api, tmp_path, rules={"host_trade_messages": mode}) as house:
        told(
            house, type=RPCMessageType.ENTRY_CANCEL, trade_id=1, pair=PAIR, exchange="Binance",
            reason="timeout", leverage=1.0, message_side="Long", direction="Long", enter_tag="",
        )  # fmt: skip
        told(house, type=RPCMessageType.STATUS, status="running")
        texts = house.news(2 if is_sent else 1)
    assert any("Cancelling" in text for text in texts) is is_sent
    assert any("running" in text for text in texts)


def test_the_host_s_messages_keep_their_order_over_a_lost_connection(house):
    house.api.fault("sendMessage", cut_before(), count=2)
    for number in range(5):
        told(house, type=RPCMessageType.STATUS, status=f"number {number}")
    assert [text.split()[-1].strip("`") for text in house.news(5)] == list("01234")


# ----------------------------------------------------------------------------- start, end, secrets


def test_a_chat_that_cannot_be_had_at_the_start_is_there_later(api, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("scalp_strategy.telegram.bot._AGAIN_S", 0.01)
    api.fault("getMe", answer(502, "Bad Gateway"), count=3)
    with running_telegram(api, tmp_path) as house:
        assert house.answer("/heat").startswith("Portfolio Heat")
    assert len(api.calls_of("getMe")) > 3
    assert TOKEN not in caplog.text


def test_a_wrong_token_stops_nothing_and_is_nowhere_shown(api, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    install()
    strategy = strategy_of(
        tmp_path,
        Settings(),
        {"enabled": True, "token": TOKEN, "chat_id": str(ADMIN), "base_url": api.base_url},
    )
    with trades_in():
        running = host_telegram.Telegram(host_of(strategy), strategy.config)
        api.wait_for(lambda: api.calls_of("getMe"), "the bot asks who it is")
        running.cleanup()
    assert not running._thread.is_alive()
    assert TOKEN not in caplog.text


def test_what_was_said_at_the_end_still_arrives(api, tmp_path):
    with running_telegram(api, tmp_path) as house:
        told(house, type=RPCMessageType.STATUS, status="process died")
    assert "process died" in api.texts(TOKEN, ADMIN)[-1]


def test_no_secret_is_logged(house, caplog):
    caplog.set_level(logging.DEBUG)
    house.api.fault("sendMessage", cut_before(), count=3)
    house.api.fault("sendMessage", answer(400, "Bad Request: can't parse entities"), count=1)
    assert house.answer("/heat").startswith("Portfolio Heat")
    assert "secret-of" not in caplog.text
