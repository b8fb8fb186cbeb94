"""Vetoes: each breaker once in a while, a pause once, whoever restarts when."""

from datetime import timedelta

import pytest

from scalp_strategy.board import Board
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.notice import NOTICE_KEY_LENGTH, Notice
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.telegram.html import Text
from tests.support.messages import CLOSE, HOSTILE, checked, decision, veto

A, B = "AAA/USDT:USDT", "BBB/USDT:USDT"
CANDLE = timedelta(minutes=15)
HOUR = timedelta(hours=1)
LEAP = veto("macro_danger", "MACRO DANGER: BTC moved +6.1 % in 1 hour.", is_pause=True)


class Told:
    """A board that is given vetoes candle by candle."""

    def __init__(self, **settings) -> None:
        self.settings = with_overrides(
            Settings(), {f"telegram.{name}": value for name, value in settings.items()}
        )
        self.board = Board(self.settings)
        self.notices: list[Notice] = []

    def at(self, minutes: float, *verdicts, pair: str = A, macro: str | None = None) -> list[str]:
        now = CLOSE + timedelta(minutes=minutes)
        close = CLOSE + CANDLE * (minutes // 15)
        made = [decision(pair, verdicts=verdicts, close=close, macro=macro)]
        found = self.board.decided(made, lambda _: None, now)
        self.notices += found
        for notice in found:
            checked(Text(notice.html, notice.plain))
            assert len(notice.key) <= NOTICE_KEY_LENGTH
        return [notice.plain for notice in found]

    def restart(self) -> None:
        self.board = Board(self.settings)
        self.board.restore(
            MessageRecord(
                bot="b",
                key=notice.key,
                channel="main",
                kind=notice.kind,
                revision=0,
                at_ms=int(notice.at.timestamp() * 1_000),
                status="sent",
                html=notice.html,
            )
            for notice in self.notices
        )


def test_a_veto_is_told_in_one_line():
    told = Told()
    assert told.at(0, veto()) == [
        "🛡 correlation: AAA/USDT:USDT long not sent (84/100): 0.91 with open ETH"
    ]
    (notice,) = told.notices
    assert (notice.kind, notice.expires_at) == ("breaker", notice.at + HOUR)
    assert notice.signal is None


def test_each_breaker_is_told_once_an_hour():
    told = Told()
    assert len(told.at(0, veto())) == 1
    assert told.at(1, veto(), pair=B) == []
    assert len(told.at(15, veto("max_positions"))) == 1
    assert told.at(45, veto(), veto("max_positions")) == []
    assert len(told.at(60, veto())) == 1


def test_several_breakers_of_one_signal_are_told_each():
    assert len(Told().at(0, veto(), veto("overtrading"), veto("volatility"))) == 3


def test_how_often_is_set():
    told = Told(breaker_notice_s=0)
    assert [len(told.at(minutes, veto())) for minutes in (0, 15, 30)] == [1, 1, 1]


def test_a_restart_does_not_begin_the_hour_anew():
    told = Told()
    told.at(0, veto())
    told.restart()
    assert told.at(45, veto()) == []
    assert len(told.at(60, veto())) == 1


def test_a_clock_that_is_set_back_does_not_silence():
    told = Told()
    told.at(24 * 60, veto())
    assert len(told.at(0, veto())) == 1


def test_what_only_shrinks_or_raises_the_bar_is_not_told():
    silent = [veto(), veto("overtrading")]
    silent = [type(one)(one.breaker, size_factor=0.5, reason=one.reason) for one in silent]
    assert Told().at(0, *silent) == []


def test_a_pause_of_the_account_is_not_told_signal_by_signal():
    told = Told()
    paused = veto("daily_drawdown", "all signals paused: by the admin", is_pause=True)
    assert told.at(0, paused) == []
    assert len(told.at(15, veto("daily_drawdown", "the check failed"))) == 1


def test_a_leap_of_btc_pauses_with_an_alert_once():
    told = Told()
    (text,) = told.at(0, LEAP)
    assert text.splitlines()[0] == "🚨 CIRCUIT BREAKER ACTIVATED"
    assert "BTC moved +6.1 %" in text
    assert "Resume: by itself" in text
    assert [told.at(minutes, LEAP, pair=B) for minutes in (15, 30, 45, 60, 75)] == [[]] * 5
    assert len(told.at(75 + 60, LEAP)) == 1  # another leap


def test_a_leap_is_not_told_again_after_a_restart():
    told = Told()
    told.at(0, LEAP)
    told.restart()
    assert told.at(30, LEAP) == []


def test_an_extreme_state_has_its_own_alert_and_is_one_line_here():
    told = Told()
    (text,) = told.at(0, LEAP, macro="EXTREME")
    assert text.startswith("🛡 macro danger: ")
    assert told.at(15, LEAP, macro="EXTREME") == []


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_reasons_and_names_are_harmless(text):
    told = Told()
    told.at(0, veto("correlation", text), pair=text or A)
    told.at(0, veto("macro_danger", text, is_pause=True))
    assert len(told.notices) == 2
