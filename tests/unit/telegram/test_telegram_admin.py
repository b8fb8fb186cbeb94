"""Who may do what: what is not known to be harmless is for admins, and strangers get nothing."""

import json

import pytest
from freqtrade.configuration import Configuration

from scalp_strategy.errors import ConfigError
from scalp_strategy.settings import load_settings
from scalp_strategy.telegram.admin import Asked, Gate, Pass, Questions, admins_of, is_read_only

PERSON, OTHER, GROUP = 42, 43, -100_500


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def asked(text=None, user=PERSON, chat=PERSON, topic=None, button=None) -> Asked:
    return Asked(chat, topic, user, text, button)


def gate(chat=PERSON, admins=(), clock=None, **section) -> Gate:
    return Gate({"chat_id": str(chat), **section}, admins, clock or Clock())


# ------------------------------------------------------------------------------- what changes what


@pytest.mark.parametrize(
    "text",
    [
        "/heat", "/HEAT", "/why SOL", "/signals 50 sent", "/help@scalp_bot", "/status table",
        "/profit_long 7", "/blacklist", "/marketdir", "/ft_stats", "hello", "", "stop",
    ],
)  # fmt: skip
def test_what_only_reads(text):
    assert is_read_only(text)


@pytest.mark.parametrize(
    "text",
    [
        "/pause", "/resume", "/resume confirm", "/stop", "/stop@scalp_bot", "/STOP", "/fx 1",
        "/forceexit all", "/reload_config", "/blacklist DOGE/USDT", "/blacklist\nDOGE/USDT",
        "/marketdir long", "/ft_start", "/ft_pause", "/delete 1", "/a_command_of_tomorrow",
        "/status/../stop", "/",
    ],
)  # fmt: skip
def test_what_may_change_something(text):
    assert not is_read_only(text)


def test_buttons_that_only_show_an_answer_anew():
    assert asked(button="update_status_table").is_read_only
    for data in ("force_exit__1", "force_enter__long__SOL", "scalp_resume__ab", "anything", ""):
        assert not asked(button=data).is_read_only


# -------------------------------------------------------------------------------------- who may it


def test_the_user_of_a_private_chat_is_admin_unless_others_are_named():
    assert gate().judge(asked("/pause")) is Pass.YES
    assert gate(admins=(OTHER,)).judge(asked("/pause")) is Pass.REFUSED


def test_nobody_is_admin_of_a_group_unless_named():
    assert admins_of(str(GROUP), ()) == frozenset()
    by = asked("/pause", chat=GROUP)
    assert gate(GROUP).judge(by) is Pass.REFUSED
    assert gate(GROUP, (PERSON,)).judge(by) is Pass.YES
    assert gate(GROUP, (PERSON,)).judge(asked("/pause", OTHER, GROUP)) is Pass.REFUSED
    assert gate(GROUP, (PERSON,)).judge(asked("/heat", OTHER, GROUP)) is Pass.YES


def test_who_speaks_in_the_name_of_the_group_is_no_admin():
    nobody = asked("/pause", None, GROUP)
    assert gate(GROUP, (PERSON,)).judge(nobody) is Pass.REFUSED


def test_an_admin_elsewhere_is_a_stranger():
    assert gate(GROUP, (PERSON,)).judge(asked("/pause", PERSON, PERSON)) is Pass.SILENT
    assert gate().judge(asked("/help", OTHER, OTHER)) is Pass.SILENT


@pytest.mark.parametrize(
    ("topic", "verdict"), [(7, Pass.YES), (8, Pass.SILENT), (None, Pass.SILENT)]
)
def test_another_topic_is_another_chat(topic, verdict):
    one = gate(GROUP, (PERSON,), topic_id="7")
    assert one.judge(asked("/heat", PERSON, GROUP, topic)) is verdict


def test_who_is_not_authorised_is_a_stranger_even_as_admin():
    one = gate(GROUP, (PERSON, OTHER), authorized_users=[str(PERSON)])
    assert one.judge(asked("/pause", PERSON, GROUP)) is Pass.YES
    assert one.judge(asked("/pause", OTHER, GROUP)) is Pass.SILENT
    assert one.judge(asked("/heat", None, GROUP)) is Pass.SILENT


def test_a_stranger_is_noted_once_an_hour_and_a_crowd_of_them_a_few_times():
    clock = Clock()
    one, stranger = gate(clock=clock), asked("/help", OTHER, OTHER)
    assert [one.is_new_stranger(stranger) for _ in range(3)] == [True, False, False]
    crowd = [asked("/help", user, user) for user in range(1_000, 2_000)]
    assert sum(one.is_new_stranger(each) for each in crowd) < 100
    clock.now_s = 3_600.0
    assert one.is_new_stranger(stranger)


# --------------------------------------------------------------------------------------- questions


def test_a_question_is_for_one_admin_once_and_not_for_long():
    clock = Clock()
    questions = Questions(300.0, clock)
    name = questions.ask(PERSON)
    assert not questions.take(name, OTHER)
    assert not questions.take(name, None)
    assert questions.take(name, PERSON)
    assert not questions.take(name, PERSON)
    late = questions.ask(PERSON)
    clock.now_s = 301.0
    assert not questions.take(late, PERSON)
    assert not questions.take("unheard of", PERSON)


# ----------------------------------------------------------------------------------- who is admin


@pytest.mark.parametrize(("text", "admins"), [("7", (7,)), ("7,8", (7, 8)), (" 7 , 8,", (7, 8))])
def test_the_specified_variable(text, admins):
    assert load_settings({}, {"TELEGRAM_ADMIN_ID": text}).telegram.admin_ids == admins


@pytest.mark.parametrize("text", ["me", "-100500", "7;8", "7.5"])
def test_a_variable_that_names_nobody(text):
    with pytest.raises(ConfigError, match="TELEGRAM_ADMIN_ID"):
        load_settings({}, {"TELEGRAM_ADMIN_ID": text})


@pytest.mark.parametrize(("text", "admins"), [("7", (7,)), ("[7, 8]", (7, 8)), ("7,8", (7, 8))])
def test_the_host_s_guess_of_our_variable(text, admins, tmp_path, monkeypatch):
    path = tmp_path / "config.json"
    exchange = {"name": "binance", "pair_whitelist": []}
    path.write_text(json.dumps({"user_data_dir": str(tmp_path), "exchange": exchange}))
    name = "FREQTRADE__SCALP__TELEGRAM__ADMIN_IDS"
    monkeypatch.setenv(name, text)
    config = Configuration.from_files([str(path)])
    assert load_settings(config, {name: text}).telegram.admin_ids == admins


@pytest.mark.parametrize("value", [True, 0, [0], [1.5], {"7": 1}, "-7"])
def test_what_is_no_user(value):
    with pytest.raises(ConfigError, match="admin_ids"):
        load_settings({"scalp": {"telegram": {"admin_ids": value}}})
