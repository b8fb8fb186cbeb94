"""Who joins and who leaves the active list, scan after scan."""

import json

import pytest

from external_layers.scanner.metrics import PairMetrics
from external_layers.scanner.selection import (
    PairEvent,
    Selection,
    SelectionState,
    select,
    state_from_json,
    state_to_json,
)
from scalp_strategy.errors import PayloadError
from scalp_strategy.setting_groups.scanner import HysteresisSettings, ScannerSettings
from tests.unit.external_layers.scanner.pairs import scored

SMALL = ScannerSettings(min_pairs=1, max_pairs=3)
MINUTE_MS = 60_000


class Scans:
    """Selections in a row, a minute apart."""

    def __init__(self, settings: ScannerSettings = SMALL) -> None:
        self.settings = settings
        self.state = SelectionState()
        self.now_ms = 0
        self.changes: list[tuple[str, str]] = []

    def next(self, *metrics: PairMetrics) -> Selection:
        self.now_ms += MINUTE_MS
        found = select(self.state, {m.pair: m for m in metrics}, self.settings, self.now_ms)
        self.state = found.state
        self.changes += [(each.kind, each.pair) for each in found.changes]
        return found


def test_the_first_scan_takes_the_best_in_order() -> None:
    found = Scans().next(
        scored("C/USDT", 70),
        scored("A/USDT", 80),
        scored("B/USDT", 70),
        scored("D/USDT", 60),
        scored("E/USDT", 99, fails="spread"),
    )
    assert found.active == ("A/USDT", "B/USDT", "C/USDT")
    assert found.changes[0] == PairEvent(
        "pair_added", "A/USDT", "opportunity score 80.00", MINUTE_MS
    )
    assert found.shortage is None


def test_the_cut_is_at_forty() -> None:
    metrics = [scored(f"P{n:02}/USDT", 51 + n / 2) for n in range(60)]
    found = Scans(ScannerSettings()).next(*metrics)
    assert found.active == tuple(f"P{n:02}/USDT" for n in range(59, 19, -1))


def test_a_short_list_is_told_and_never_filled_up() -> None:
    scans = Scans(ScannerSettings(min_pairs=3, max_pairs=5))
    found = scans.next(scored("A/USDT", 80), scored("B/USDT", 50), scored("C/USDT", 49))
    assert found.active == ("A/USDT",)
    assert found.shortage == "1 active pairs, at least 3 are aimed for: no more qualify"


def test_a_score_around_the_threshold_does_not_flap() -> None:
    scans = Scans()
    for score in (51, 49, 51, 48, 46, 45.0, 50.5, 45.0):
        assert scans.next(scored("A/USDT", score)).active == ("A/USDT",)
    assert scans.next(scored("A/USDT", 44.9)).active == ()
    assert scans.changes == [("pair_added", "A/USDT"), ("pair_removed", "A/USDT")]


def test_a_filter_may_refuse_four_times_in_a_row() -> None:
    scans = Scans()
    good, bad = scored("A/USDT", 80), scored("A/USDT", 80, fails="ATR too low")
    for metrics in (good, *[bad] * 4, good, *[bad] * 4):
        assert scans.next(metrics).active == ("A/USDT",)
    left = scans.next(bad)
    assert left.active == ()
    assert left.changes[0].reason == "ATR too low, 5 scans in a row"


def test_a_score_below_the_threshold_may_not_last() -> None:
    scans = Scans()
    scans.next(scored("A/USDT", 80))
    for _ in range(4):
        assert scans.next(scored("A/USDT", 47)).active == ("A/USDT",)
    left = scans.next(scored("A/USDT", 47))
    assert left.active == ()
    assert left.changes[0].reason == "opportunity score 47 is not above 50, 5 scans in a row"


def test_an_unknown_score_counts_with_its_last_value() -> None:
    scans = Scans()
    scans.next(scored("A/USDT", 80), scored("B/USDT", 70))
    for _ in range(4):
        found = scans.next(scored("A/USDT", 80, fails="unknown"), scored("B/USDT", 70))
        assert found.active == ("A/USDT", "B/USDT")
    gone = scans.next(scored("A/USDT", 80, fails="unknown"), scored("B/USDT", 70))
    assert gone.active == ("B/USDT",)


def test_a_volume_collapse_removes_at_once() -> None:
    scans = Scans()
    scans.next(scored("A/USDT", 80), scored("B/USDT", 70))
    found = scans.next(scored("A/USDT", 80, volume_24h=500_000.0), scored("B/USDT", 70))
    assert found.active == ("B/USDT",)
    assert found.changes == (
        PairEvent("pair_removed", "A/USDT", "24 h volume 500,000 USDT is not above 500,000",
                  2 * MINUTE_MS),
    )  # fmt: skip


def test_a_delisted_pair_is_removed_at_once() -> None:
    scans = Scans()
    scans.next(scored("A/USDT", 80), scored("B/USDT", 70))
    found = scans.next(scored("B/USDT", 70))
    assert found.active == ("B/USDT",)
    assert found.changes[0].reason == "no longer traded on the exchange"


FULL = [scored("A/USDT", 80), scored("B/USDT", 70), scored("C/USDT", 60)]


def test_a_newcomer_waits_three_scans_above_the_cut() -> None:
    scans = Scans()
    scans.next(*FULL)
    for _ in range(2):
        assert scans.next(*FULL, scored("N/USDT", 62)).changes == ()
    found = scans.next(*FULL, scored("N/USDT", 62))
    assert found.active == ("A/USDT", "B/USDT", "N/USDT")
    assert [(each.kind, each.pair) for each in found.changes] == [
        ("pair_removed", "C/USDT"),
        ("pair_added", "N/USDT"),
    ]
    assert found.changes[0].reason == "3 others rank above its score of 60.00"


def test_waiting_starts_anew_after_a_scan_below_the_cut() -> None:
    scans = Scans()
    scans.next(*FULL)
    for score in (62, 62, 59, 62, 62, 59, 62, 62):
        assert scans.next(*FULL, scored("N/USDT", score)).changes == ()


def test_a_much_better_newcomer_joins_at_once() -> None:
    scans = Scans()
    scans.next(*FULL)
    assert scans.next(*FULL, scored("N/USDT", 65)).changes == ()
    assert scans.next(*FULL, scored("N/USDT", 65.1)).active == ("A/USDT", "B/USDT", "N/USDT")


def test_of_several_strong_newcomers_only_those_above_the_cut_join() -> None:
    scans = Scans()
    scans.next(*FULL)
    found = scans.next(*FULL, scored("M/USDT", 90), scored("N/USDT", 68))
    assert found.active == ("M/USDT", "A/USDT", "B/USDT")
    assert "N/USDT" not in scans.state.waiting


def test_a_newcomer_waits_for_a_free_place_too_unless_the_list_is_short() -> None:
    scans = Scans(ScannerSettings(min_pairs=2, max_pairs=3))
    scans.next(scored("A/USDT", 80), scored("B/USDT", 70))
    metrics = [scored("A/USDT", 80), scored("B/USDT", 70), scored("N/USDT", 60)]
    assert scans.next(*metrics).changes == ()
    assert scans.next(*metrics).changes == ()
    assert scans.next(*metrics).active == ("A/USDT", "B/USDT", "N/USDT")
    short = Scans(ScannerSettings(min_pairs=3, max_pairs=3))
    short.next(*metrics[:2])
    assert short.next(*metrics).active == ("A/USDT", "B/USDT", "N/USDT")


def test_who_left_does_not_come_back_in_the_same_scan() -> None:
    scans = Scans(ScannerSettings(min_pairs=1, max_pairs=1))
    scans.next(scored("A/USDT", 60))
    assert scans.next(scored("A/USDT", 60), scored("B/USDT", 90)).active == ("B/USDT",)
    assert scans.next(scored("A/USDT", 61), scored("B/USDT", 90)).changes == ()


def test_hysteresis_is_settable() -> None:
    eager = HysteresisSettings(
        exit_score_margin=0, exit_scans=1, entry_scans=1, entry_score_margin=0
    )
    scans = Scans(ScannerSettings(min_pairs=1, max_pairs=1, hysteresis=eager))
    scans.next(scored("A/USDT", 60))
    assert scans.next(scored("A/USDT", 60), scored("B/USDT", 61)).active == ("B/USDT",)
    assert scans.next(scored("B/USDT", 61, fails="spread")).active == ()


def test_a_restart_remembers() -> None:
    scans = Scans()
    scans.next(*FULL)
    scans.next(*FULL, scored("N/USDT", 62))
    scans.next(*FULL, scored("N/USDT", 62))
    restored = state_from_json(json.loads(json.dumps(state_to_json(scans.state))))
    assert restored == scans.state
    scans.state = restored
    assert "N/USDT" in scans.next(*FULL, scored("N/USDT", 62)).active


@pytest.mark.parametrize("value", [None, [], {"active": []}, {"active": {"A": {"score": None}}}])
def test_a_broken_state_is_refused(value: object) -> None:
    with pytest.raises(PayloadError):
        state_from_json(value)
