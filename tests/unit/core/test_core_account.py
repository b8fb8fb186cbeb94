import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from scalp_strategy.account import (
    STATE_VERSION,
    Account,
    EndedDay,
    MemoryStore,
    Position,
    ResumeResult,
)
from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.setting_groups.breakers import BreakerSettings
from scalp_strategy.state_file import FileStore

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 3, 0, 0, tzinfo=UTC)


def account(store=None, *, in_backtest=False, keeps_days=False, **settings) -> Account:
    return Account(
        BreakerSettings(**settings),
        store or MemoryStore(),
        resumes_next_day=in_backtest,
        keeps_days=keeps_days,
    )


def position(side="long", **changes) -> Position:
    values = {
        "pair": "SOL/USDT:USDT",
        "amount": 10.0,
        "entry_price": 100.0,
        "stop_price": 98.0 if side == "long" else 102.0,
        "mark_price": 100.0,
    }
    return Position(side=side, **values | changes)


def mark(one: Account, now: datetime, equity: float, *positions: Position) -> None:
    """Mark a picture whose equity is the one given, unrealised profit included."""
    capital = equity - sum(position.unrealised for position in positions)
    one.mark(now, capital, capital, positions)


def paused(at=NOON, loss=500.0, **options) -> Account:
    one = account(**options)
    mark(one, at - timedelta(hours=1), 10_000)
    mark(one, at, 10_000 - loss)
    assert one.state.is_paused
    return one


# ------------------------------------------------------------------------------------- positions


@pytest.mark.parametrize(
    ("side", "mark_price", "profit"), [("long", 103.0, 30.0), ("short", 103.0, -30.0)]
)
def test_unrealised_profit(side, mark_price, profit):
    assert position(side, mark_price=mark_price).unrealised == pytest.approx(profit)
    assert position(side, mark_price=mark_price, is_pending=True).unrealised == 0


@pytest.mark.parametrize(
    ("side", "stop", "risk"),
    [
        ("long", 98.0, 20.0),
        ("long", 100.0, 0.0),
        ("long", 101.0, 0.0),
        ("short", 102.0, 20.0),
        ("short", 100.0, 0.0),
        ("short", 99.0, 0.0),
    ],
)
@pytest.mark.parametrize("is_pending", [True, False])
def test_risk_ends_where_the_stop_reaches_the_entry(side, stop, risk, is_pending):
    assert position(side, stop_price=stop, is_pending=is_pending).risk == pytest.approx(risk)


def test_the_view_adds_up_open_and_pending_positions():
    one = account()
    pending = position("short", pair="ETH/USDT:USDT", amount=2.0, is_pending=True, mark_price=110)
    one.mark(NOON, 1_000.0, 400.0, [position(mark_price=101.0), pending])
    view = one.view()
    assert view.equity == pytest.approx(1_010.0)  # the pending one has no profit
    assert view.free_balance == 400.0
    assert view.open_risk == pytest.approx(20.0 + 4.0)
    assert view.open_exposure == pytest.approx(1_010.0 + 220.0)
    assert view.open_positions == 2


def test_a_reserved_position_counts_until_the_next_picture():
    one = account()
    one.mark(NOON, 1_000.0, 1_000.0, [])
    one.reserve(position(is_pending=True), 250.0)
    view = one.view()
    assert (view.open_positions, view.free_balance) == (1, 750.0)
    assert view.open_risk == pytest.approx(20.0)
    assert one.holds("SOL/USDT:USDT")
    assert not one.holds("ETH/USDT:USDT")
    one.mark(NOON, 1_000.0, 1_000.0, [])
    assert one.view().open_positions == 0


# -------------------------------------------------------------------------- the day, the drawdown


def test_the_day_starts_with_its_first_picture_in_utc():
    one = account()
    mark(one, NOON, 10_000)
    mark(one, MIDNIGHT - timedelta(microseconds=1), 10_200)
    assert one.drawdown_pct == pytest.approx(-2.0)
    mark(one, MIDNIGHT, 10_100)
    assert one.drawdown_pct == 0
    mark(one, MIDNIGHT + timedelta(hours=1), 9_999)
    assert one.drawdown_pct == pytest.approx(1.0)


def test_nothing_is_known_before_the_first_picture():
    one = account()
    assert one.drawdown_pct == 0
    assert not one.state.is_paused


@pytest.mark.parametrize("limit", [1.0, 2.5, 5.0, 7.0, 10.0, 20.0, 30.0])
def test_a_loss_of_exactly_the_limit_pauses(limit):
    one = account(max_daily_drawdown_pct=limit)
    mark(one, NOON, 10_000)
    mark(one, NOON, 10_000 - limit * 100 + 0.01)
    assert not one.state.is_paused
    mark(one, NOON, 10_000 - limit * 100)
    assert one.state.is_paused
    assert f"{limit:g} %" in one.state.pause_reason


def test_unrealised_losses_count():
    one = account()
    one.mark(NOON, 10_000.0, 9_000.0, [position(amount=100.0)])
    one.mark(NOON, 10_000.0, 9_000.0, [position(amount=100.0, mark_price=95.01)])
    assert not one.state.is_paused
    one.mark(NOON, 10_000.0, 9_000.0, [position(amount=100.0, mark_price=95.0)])
    assert one.state.is_paused


def test_a_recovery_does_not_end_the_pause():
    one = paused()
    reason = one.state.pause_reason
    mark(one, NOON + timedelta(hours=1), 10_400)
    assert one.state.is_paused
    assert one.state.pause_reason == reason


def test_a_backtest_resumes_with_the_next_day():
    one = paused(in_backtest=True)
    mark(one, MIDNIGHT - timedelta(seconds=1), 9_500)
    assert one.state.is_paused
    mark(one, MIDNIGHT, 9_500)
    assert not one.state.is_paused
    assert one.drawdown_pct == 0


def test_live_stays_paused_until_resumed():
    one = paused()
    for days in range(1, 4):
        mark(one, NOON + timedelta(days=days), 9_500)
        assert one.state.is_paused


@pytest.mark.parametrize("first", [math.nan, 0.0])
def test_a_day_does_not_start_with_an_empty_or_unknown_balance(first):
    """A balance that could not be read must not switch the drawdown off until tomorrow."""
    one = account()
    mark(one, NOON, first)
    mark(one, NOON + timedelta(hours=1), 10_000)
    mark(one, NOON + timedelta(hours=2), 9_000)
    assert one.state.is_paused


# ------------------------------------------------------------------------------- pause and resume


def test_an_admin_may_pause():
    one = account()
    mark(one, NOON, 10_000)
    one.pause(NOON, "asked by the admin")
    mark(one, NOON, 10_100)
    assert (one.state.is_paused, one.state.pause_reason) == (True, "asked by the admin")


def test_an_admin_s_own_pause_ends_without_a_confirmation_and_wipes_out_no_loss():
    one = account()
    mark(one, NOON, 10_000)
    mark(one, NOON, 9_600)
    assert one.pause(NOON, "by the admin")
    assert one.resume(NOON, is_confirmed=False) is ResumeResult.RESUMED
    assert one.drawdown_pct == pytest.approx(4.0)
    mark(one, NOON, 9_490)
    assert one.resume(NOON, is_confirmed=False) is ResumeResult.REFUSED


def test_an_admin_s_pause_does_not_replace_the_drawdown_s():
    one = paused()
    assert not one.pause(NOON, "by the admin")
    assert "drawdown" in one.state.pause_reason
    assert one.resume(NOON, is_confirmed=False) is ResumeResult.REFUSED


def test_a_loss_during_an_admin_s_pause_pauses_once_it_ends():
    one = account()
    mark(one, NOON, 10_000)
    one.pause(NOON, "by the admin")
    mark(one, NOON, 9_000)
    one.resume(NOON, is_confirmed=False)
    mark(one, NOON, 9_000)
    assert "drawdown" in one.state.pause_reason


def test_a_resume_on_the_same_day_needs_a_confirmation_and_starts_the_count_anew():
    one = paused()
    later = NOON + timedelta(hours=11, minutes=59)
    assert one.resume(later, is_confirmed=False) is ResumeResult.REFUSED
    assert one.state.is_paused
    assert one.resume(later, is_confirmed=True) is ResumeResult.OVERRIDDEN
    assert not one.state.is_paused
    mark(one, later, 9_500)
    assert not one.state.is_paused
    mark(one, later, 9_500 * 0.951)
    assert not one.state.is_paused
    mark(one, later, 9_500 * 0.949)
    assert one.state.is_paused


def test_a_resume_on_a_later_day_needs_no_confirmation():
    one = paused()
    mark(one, MIDNIGHT, 9_500)
    assert one.resume(MIDNIGHT, is_confirmed=False) is ResumeResult.RESUMED
    mark(one, MIDNIGHT, 9_500)
    assert not one.state.is_paused


def test_a_resume_on_a_later_day_keeps_that_day_s_start():
    one = paused()
    mark(one, MIDNIGHT, 10_000)
    mark(one, MIDNIGHT + timedelta(hours=3), 9_600)  # 4 % down while paused
    one.resume(MIDNIGHT + timedelta(hours=3), is_confirmed=False)
    assert one.drawdown_pct == pytest.approx(4.0)
    mark(one, MIDNIGHT + timedelta(hours=4), 9_490)
    assert one.state.is_paused


def test_a_resume_without_a_pause_does_not_wipe_out_the_day_s_loss():
    one = account()
    mark(one, NOON, 10_000)
    mark(one, NOON, 9_510)
    assert one.resume(NOON, is_confirmed=False) is ResumeResult.NOT_PAUSED
    assert one.drawdown_pct == pytest.approx(4.9)
    mark(one, NOON, 9_490)
    assert one.state.is_paused


# ------------------------------------------------------------------------------ days and signals


def ended(one: Account) -> list[tuple[str, float, float, float]]:
    return [
        (day.day, day.start_equity, day.end_equity, pytest.approx(day.max_drawdown_pct))
        for day in one.ended_days
    ]


def test_an_ended_day_has_its_start_its_end_and_its_worst():
    one = account(keeps_days=True)
    for minutes, equity in ((0, 10_000), (15, 9_700), (30, 9_900), (45, 10_200)):
        mark(one, NOON + timedelta(minutes=minutes), equity)
    assert one.ended_days == ()
    assert one.state.day_worst_drawdown_pct == pytest.approx(3.0)
    mark(one, MIDNIGHT, 10_100)  # the picture at midnight ends one day and begins the next
    assert ended(one) == [("2026-03-02", 10_000, 10_100, 3.0)]
    assert (one.day_open_equity, one.state.day_worst_drawdown_pct) == (10_100, 0)


def test_without_a_picture_at_midnight_the_last_one_ends_the_day():
    one = account(keeps_days=True)
    mark(one, NOON, 10_000)
    mark(one, MIDNIGHT + timedelta(minutes=15), 9_000)
    mark(one, MIDNIGHT + timedelta(days=4), 9_500)  # days without a picture are no days
    assert ended(one) == [
        ("2026-03-02", 10_000, 10_000, 0.0),
        ("2026-03-03", 9_000, 9_000, 0.0),
    ]
    one.forget_day("2026-03-02")
    assert [day.day for day in one.ended_days] == ["2026-03-03"]


def test_the_midnight_loss_is_part_of_the_day_that_ends():
    one = account(keeps_days=True)
    mark(one, NOON, 10_000)
    mark(one, MIDNIGHT, 9_800)
    assert ended(one) == [("2026-03-02", 10_000, 9_800, 2.0)]
    assert one.drawdown_pct == 0


def test_an_override_does_not_change_what_the_day_was():
    one = paused(keeps_days=True)
    one.resume(NOON, is_confirmed=True)
    mark(one, NOON + timedelta(hours=1), 9_600)
    assert one.drawdown_pct < 0  # counted from the override
    mark(one, MIDNIGHT, 9_600)
    assert ended(one) == [("2026-03-02", 10_000, 9_600, 5.0)]


def test_days_are_kept_only_for_who_reports_them():
    one = account(in_backtest=True)
    for days in range(5):
        mark(one, NOON + timedelta(days=days), 10_000)
    assert one.ended_days == ()


def test_signals_of_the_last_hour_are_counted_and_older_ones_forgotten():
    one = account()
    for minutes in (0, 0, 15, 60):
        one.note_signal(NOON + timedelta(minutes=minutes))
    assert one.signals_in_hour(NOON + timedelta(minutes=45)) == 1  # what is sent later is not of it
    assert one.signals_in_hour(NOON + timedelta(minutes=60)) == 2
    assert len(one.state.sent_ms) == 2
    one.reset()
    assert one.signals_in_hour(NOON + timedelta(minutes=60)) == 0


# ------------------------------------------------------------------------------------ persistence


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scalp" / "account.json"


def test_a_restart_keeps_day_drawdown_and_pause(path):
    one = paused(store=FileStore(path))
    again = account(FileStore(path))
    assert again.state == one.state
    assert again.drawdown_pct == pytest.approx(5.0)
    mark(again, NOON + timedelta(minutes=5), 9_900)
    assert again.state.is_paused
    assert again.drawdown_pct == pytest.approx(1.0)


def test_a_restart_keeps_signals_days_and_the_worst_of_the_day(path):
    one = account(FileStore(path), keeps_days=True)
    mark(one, NOON - timedelta(days=1), 9_000)
    mark(one, NOON, 10_000)
    mark(one, NOON, 9_800)
    mark(one, NOON, 9_900)
    one.note_signal(NOON)
    again = account(FileStore(path), keeps_days=True)
    assert again.signals_in_hour(NOON) == 1
    assert again.ended_days == (EndedDay(day="2026-03-01", start_equity=9_000, end_equity=9_000),)
    mark(again, MIDNIGHT, 9_900)
    assert ended(again)[1] == ("2026-03-02", 10_000, 9_900, 2.0)


def test_a_state_of_an_older_version_still_loads(path):
    path.parent.mkdir()
    old = {
        "day": "2026-03-02",
        "day_start_equity": 10_000.0,
        "equity": 9_500.0,
        "is_paused": True,
        "pause_reason": "daily drawdown 5.00 % of 10000.00 reached the limit of 5 %",
        "paused_at": NOON.isoformat(),
        "version": STATE_VERSION,
    }
    path.write_text(json.dumps(old))
    one = account(FileStore(path))
    assert one.day_open_equity == 10_000
    assert one.resume(NOON, is_confirmed=False) is ResumeResult.REFUSED
    mark(one, NOON, 9_400)
    assert one.state.day_worst_drawdown_pct == pytest.approx(6.0)


def test_a_restart_on_the_next_day_begins_a_new_day(path):
    one = account(FileStore(path))
    mark(one, NOON, 10_000)
    again = account(FileStore(path))
    mark(again, MIDNIGHT, 9_000)
    assert not again.state.is_paused
    assert again.drawdown_pct == 0


def test_a_reset_forgets_everything():
    one = paused(in_backtest=True)
    one.reset()
    assert not one.state.is_paused
    assert one.view().open_positions == 0
    mark(one, NOON - timedelta(days=30), 5_000)
    assert one.drawdown_pct == 0


@pytest.mark.parametrize(
    "saved",
    [
        {"version": 0},
        {"version": STATE_VERSION + 1},
        {"balance": 1},
        {"equity": "much"},
        {"equity": None},
        {"day_start_equity": "10000"},
        {"day_start_equity": math.nan},
        {"is_paused": "no"},
        {"is_paused": None},
        {"paused_at": None},
        {"sent_ms": ["now"]},
        {"sent_ms": None},
        {"ended_days": [{"day": "2026-03-01", "profit": 1.0}]},
    ],
)
def test_a_saved_state_of_another_shape_stops_the_start(path, saved):
    path.parent.mkdir()
    path.write_text(json.dumps(saved))
    with pytest.raises(ConfigError):
        account(FileStore(path))


@pytest.mark.parametrize("saved", [{"version": 0}, {"balance": 1}, {"equity": None}])
def test_the_refusal_names_the_file(path, saved):
    path.parent.mkdir()
    path.write_text(json.dumps(saved))
    with pytest.raises(ConfigError, match=path.name):
        account(FileStore(path))


class FullDisk(MemoryStore):
    """A store that refuses while it is full."""

    is_full = False

    def save(self, state):
        if self.is_full:
            raise StoreError("no space left on device")
        super().save(state)


def test_a_full_disk_is_reported_and_the_pause_holds():
    store = FullDisk()
    one = account(store)
    mark(one, NOON, 10_000)
    store.is_full = True
    mark(one, NOON, 9_400)
    assert one.state.is_paused
    assert "no space left" in one.store_problem
    assert not store.load()["is_paused"]


def test_what_a_full_disk_refused_is_kept_once_there_is_space():
    store = FullDisk()
    one = account(store)
    mark(one, NOON, 10_000)
    store.is_full = True
    mark(one, NOON, 9_400)
    store.is_full = False
    mark(one, NOON + timedelta(minutes=15), 9_400)  # nothing moved since
    assert one.store_problem is None
    assert account(store).state.is_paused
