"""Events beside the trading loop: it never waits for them, and each alert goes out once."""

import logging
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from freqtrade.enums import RunMode

from scalp_strategy.bot_files import journal_path, state_path
from scalp_strategy.engine import Engine
from scalp_strategy.errors import ConfigError
from scalp_strategy.events import EventDesk, event_desk
from scalp_strategy.journal.address import VARIABLES, journal_url
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.journal.store import Journal
from scalp_strategy.notice import Notice
from scalp_strategy.settings import Settings, with_overrides
from scalp_strategy.strategy import ScalpStrategy
from tests.support.event_server import TOKEN, EventSidecar, Handler, serving_events
from tests.unit.journal.databases import rows

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1_000
WAIT_S = 20.0
ENVIRONMENT = {"SCALP_LAYERS_TOKEN": TOKEN}

pytestmark = pytest.mark.usefixtures("trades_in_memory")


@pytest.fixture(autouse=True)
def _no_database_from_outside(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sidecar(tmp_path) -> Iterator[EventSidecar]:
    with serving_events(EventSidecar(tmp_path / "sidecar", NOW_MS)) as one:
        yield one


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def kept(notice: Notice) -> MessageRecord:
    """What the journal has of a notice that was told."""
    at_ms = int(notice.at.timestamp() * 1_000)
    return MessageRecord(
        bot="b",
        key=notice.key,
        channel="main",
        kind=notice.kind,
        revision=0,
        at_ms=at_ms,
        status="sent",
        html=notice.html,
    )


class Loop:
    """The trading loop around a desk: each turn waits for the pull before it, so that nothing
    depends on who is faster."""

    def __init__(self, url: str, file, **journal) -> None:
        changes = {"sidecar.url": url} | {f"journal.{name}": one for name, one in journal.items()}
        settings = with_overrides(Settings(), changes)
        journal_ = Journal(journal_url({}, file), settings.journal.database_timeout_s)
        desk = event_desk(settings, ENVIRONMENT, journal_, "scalp-dry-run-futures")
        assert desk is not None
        self.clock = Clock()
        self.desk: EventDesk = desk
        self.desk._clock = self.clock
        self.file = file
        self.told: list[MessageRecord] = []

    def turn(self, seconds: float = 15.0) -> list[str]:
        """Let time pass, start what is due, and return what was told once it ended."""
        self.clock.now_s += seconds
        now = NOW + timedelta(seconds=self.clock.now_s)
        said = self.desk.notices(now)
        assert self.desk.wait(WAIT_S)
        said += self.desk.notices(now)
        self.told += [kept(notice) for notice in said]
        return [notice.plain for notice in said]

    @property
    def whales(self) -> list[dict]:
        return rows(journal_url({}, self.file), "whale_events")


@pytest.fixture
def loop(sidecar, tmp_path) -> Loop:
    return Loop(sidecar.url, tmp_path / "journal.sqlite")


def test_an_event_is_journalled_and_told_once(sidecar, loop):
    sidecar.whale(1)
    sidecar.whale(2, amount_usd=2e6)
    sidecar.change("macro", "CALM", "EXTREME")
    said = loop.turn()
    assert [text.split()[0] for text in said] == ["🐋", "🚨"]
    assert len(loop.whales) == 2
    assert loop.turn() == []


def test_a_bot_that_was_started_anew_tells_nothing_twice(sidecar, loop, tmp_path):
    sidecar.whale(1)
    assert len(loop.turn()) == 1
    again = Loop(sidecar.url, loop.file)
    again.desk.restore(loop.told)
    sidecar.whale(2)
    (text,) = again.turn()
    assert "WHALE" in text
    assert len(again.whales) == 2


def test_what_a_kill_left_untold_is_told_after_the_start(sidecar, loop):
    """The events are in the journal, the cursor is behind them, and nobody was told."""
    sidecar.whale(1)
    sidecar.change("macro", "CALM", "EXTREME")
    loop.desk.notices(NOW)
    assert loop.desk.wait(WAIT_S)  # and here the bot is killed
    again = Loop(sidecar.url, loop.file)
    assert [text.split()[0] for text in again.turn()] == ["🐋", "🚨"]
    assert again.turn() == []


def test_what_is_too_old_is_not_told_after_the_start(sidecar, loop):
    sidecar.whale(1)
    loop.desk.notices(NOW)
    assert loop.desk.wait(WAIT_S)
    again = Loop(sidecar.url, loop.file)
    assert again.turn(2 * 3_600) == []


def test_a_desk_that_a_reload_left_behind_takes_nothing_from_the_new_one(sidecar, loop):
    """Its pull may end after the new desk's first look, and its events are told by nobody."""
    new = Loop(sidecar.url, loop.file)
    assert new.turn() == []
    sidecar.whale(1)
    loop.desk.notices(NOW)
    assert loop.desk.wait(WAIT_S)
    assert len(new.turn()) == 1
    assert new.turn() == []


def test_without_a_sidecar_the_journal_is_still_told(sidecar, loop):
    sidecar.whale(1)
    loop.desk.notices(NOW)
    assert loop.desk.wait(WAIT_S)
    sidecar.fault = lambda handler: handler.answer(b"<html>no</html>")
    assert len(Loop(sidecar.url, loop.file).turn()) == 1


def test_who_fails_is_told_apart(sidecar, tmp_path):
    loop = Loop(sidecar.url, tmp_path / "journal.sqlite", database_timeout_s=0.05)
    loop.turn()
    assert loop.desk.problem is None
    other = sqlite3.connect(loop.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    loop.turn()
    assert loop.desk.problem is None
    other.close()
    sidecar.fault = lambda handler: handler.answer(b"<html>no</html>")
    loop.turn()
    assert loop.desk.problem
    sidecar.fault = None
    loop.turn()
    assert loop.desk.problem is None


def test_a_new_folder_of_the_sidecar_tells_nothing_twice(sidecar, loop, tmp_path):
    sidecar.whale(1)
    sidecar.change("macro", "CALM", "EXTREME")
    assert len(loop.turn()) == 2
    sidecar.open(tmp_path / "second")
    sidecar.whale(1)
    sidecar.change("macro", "CALM", "EXTREME")
    assert loop.turn() == []


def test_a_bot_that_was_away_journals_the_past_and_is_silent_about_it(sidecar, loop):
    sidecar.now_ms -= 2 * 3_600_000
    for number in range(30):
        sidecar.whale(number)
    sidecar.change("macro", "CALM", "EXTREME")
    sidecar.now_ms = NOW_MS
    sidecar.whale(99)
    assert len(loop.turn()) == 1
    assert len(loop.whales) == 31


def test_it_asks_as_often_as_set_and_not_by_itself(sidecar, loop):
    for _ in range(10):
        loop.turn(5.0)
    assert len(sidecar.asked) == 4


def test_a_sidecar_that_hangs_is_not_waited_for_and_not_asked_again(sidecar, loop):
    def hangs(handler: Handler) -> None:
        sidecar.released.wait()
        handler.answer(sidecar.body(0, 100))

    sidecar.fault = hangs
    sidecar.whale(1)
    loop.clock.now_s = 1.0
    for _ in range(50):
        loop.clock.now_s += 15.0
        assert loop.desk.notices(NOW) == []  # here a loop that waits would wait for ever
    assert loop.desk.is_pulling
    assert len(sidecar.asked) <= 1
    sidecar.released.set()
    sidecar.fault = None
    assert loop.desk.wait(WAIT_S)
    assert len(loop.turn()) == 1


def test_failures_are_logged_once_and_so_is_their_end(sidecar, loop, caplog):
    caplog.set_level(logging.WARNING, "scalp_strategy.events.desk")
    sidecar.whale(1)
    sidecar.fault = lambda handler: handler.answer(b"<html>no</html>")
    for _ in range(4):
        assert loop.turn() == []
    assert len(caplog.records) == 1
    sidecar.fault = None
    assert len(loop.turn()) == 1
    loop.turn()
    assert len(caplog.records) == 2
    assert TOKEN not in caplog.text


def test_a_locked_journal_delays_the_alert_and_loses_nothing(sidecar, tmp_path):
    loop = Loop(sidecar.url, tmp_path / "journal.sqlite", database_timeout_s=0.05)
    loop.turn()
    other = sqlite3.connect(loop.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sidecar.whale(1)
    assert loop.turn() == []
    other.close()
    assert len(loop.turn()) == 1


def test_a_failure_nobody_thought_of_ends_one_pull_only(sidecar, loop, monkeypatch):
    sidecar.whale(1)
    with monkeypatch.context() as patch:
        patch.setattr(loop.desk._puller, "pull", lambda _: 1 / 0)
        assert loop.turn() == []
    assert len(loop.turn()) == 1


# ---- in the engine ----


def engine(tmp_path, runmode: RunMode, url: str) -> Engine:
    strategy = SimpleNamespace(
        dp=SimpleNamespace(runmode=runmode),
        config={"user_data_dir": tmp_path, "dry_run": True, "trading_mode": "futures"},
    )
    return Engine(strategy, with_overrides(Settings(), {"sidecar.url": url}))


def told(one: Engine, now=NOW) -> list[str]:
    texts: list[str] = []
    one.tell(now, texts.append)
    return texts


def test_the_engine_of_a_trading_bot_pulls_and_a_backtest_does_not(sidecar, tmp_path, monkeypatch):
    monkeypatch.setenv("SCALP_LAYERS_TOKEN", TOKEN)
    sidecar.whale(1)
    assert told(engine(tmp_path, RunMode.BACKTEST, sidecar.url)) == []
    assert sidecar.asked == []
    one = engine(tmp_path, RunMode.DRY_RUN, sidecar.url)
    told(one)
    assert one.live._events.wait(WAIT_S)
    assert len(told(one)) == 1
    assert told(one) == []
    assert journal_path(
        {"user_data_dir": tmp_path, "dry_run": True, "trading_mode": "futures"}
    ).exists()


def test_what_was_told_without_telegram_is_not_repeated_after_a_restart(
    sidecar, tmp_path, monkeypatch
):
    monkeypatch.setenv("SCALP_LAYERS_TOKEN", TOKEN)
    now = datetime.now(UTC)  # a start looks back from the present instant
    sidecar.now_ms = int(now.timestamp()) * 1_000
    sidecar.whale(1)
    first = engine(tmp_path, RunMode.DRY_RUN, sidecar.url)
    told(first, now)
    assert first.live._events.wait(WAIT_S)
    assert len(told(first, now)) == 1
    second = engine(tmp_path, RunMode.DRY_RUN, sidecar.url)
    told(second, now)
    assert second.live._events.wait(WAIT_S)
    assert told(second, now) == []


def test_without_a_sidecar_nobody_is_asked(tmp_path):
    one = engine(tmp_path, RunMode.DRY_RUN, "")
    assert told(one) == []
    assert one.live._events is None


def test_each_bot_has_a_journal_of_its_own():
    modes = [
        {"user_data_dir": "u", "dry_run": dry, "trading_mode": market, "bot_name": name}
        for dry in (True, False)
        for market in ("spot", "futures")
        for name in ("a", "b/../c")
    ]
    paths = {journal_path(mode) for mode in modes}
    assert len(paths) == len(modes)
    assert {path.parent for path in paths} == {state_path(modes[0]).parent}


def test_a_malformed_address_stops_the_start(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"sidecar\.url"):
        engine(tmp_path, RunMode.DRY_RUN, "localhost:8090")
    monkeypatch.setenv("SCALP_JOURNAL_URL", "mysql://user:s3cret@host/db")
    with pytest.raises(ConfigError, match="SCALP_JOURNAL_URL") as caught:
        engine(tmp_path, RunMode.DRY_RUN, "http://127.0.0.1:1")
    assert "s3cret" not in str(caught.value)


class Sent:
    """The host's way to the chat; refuses what it is told to."""

    runmode = RunMode.DRY_RUN

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refuses = False

    def current_whitelist(self) -> list[str]:
        return []

    def send_msg(self, text: str, *, always_send: bool = False) -> None:
        if self.refuses:
            raise OSError("no way out")
        assert always_send  # or the host drops what it has sent once
        self.texts.append(text)


def test_the_strategy_sends_them_and_goes_on_when_it_cannot():
    strategy = ScalpStrategy({"stake_currency": "USDT", "trading_mode": "futures"})
    strategy.dp = Sent()
    begun = []

    def tell(now, send):
        for text in ("one", "two"):
            send(text)

    strategy.engine = SimpleNamespace(
        begin_loop=lambda *_: begun.append(1), tell=tell, is_trading=True
    )
    strategy.bot_loop_start(NOW)
    assert strategy.dp.texts == ["one", "two"]
    strategy.dp.refuses = True
    strategy.bot_loop_start(NOW)
    assert len(begun) == 2
