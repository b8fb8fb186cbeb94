"""Files of daily series: every shape that is understood, and errors that say what is wrong."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from external_layers.history.series_files import read_series
from external_layers.sources.facts import FEAR_GREED, MARKET, SP500, Reading
from scalp_strategy.errors import ConfigError
from tests.support.recorded import recorded

DAY_MS = 86_400_000
FIRST_MS = 1_784_937_600_000  # 2026-07-25


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "series.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, delay_s: int = 86_400) -> list[tuple[int, float]]:
    found = read_series(path, SP500, "fred", delay_s)
    return [((one.observed_at_ms - FIRST_MS) // DAY_MS, one.value) for one in found]


@pytest.mark.parametrize(
    "content",
    [
        "as_of,value,status\n2026-07-25,1.5,ok\n2026-07-26,2,OK\n",
        "Date,value\r\n2026-07-25,1.5\r\n\r\n2026-07-26,2\r\n",
        "date,open,value\n2026-07-26,9,2\n2026-07-25,9,1.5\n",
        "timestamp,value\n1784937600,1.5\n1785024000,2\n",
        "timestamp,value\n2026-07-25T00:00:00Z,1.5\n2026-07-26 12:30:00+00:00,2\n",
        "\ufeffas_of,value\n2026-07-25,1.5\n2026-07-26,2\n",
        '[{"date": "2026-07-25", "value": 1.5}, {"date": "2026-07-26", "value": "2"}]',
        '{"data": [{"timestamp": "1785024000","value": 2},{"timestamp": 1784937600,"value": 1.5}]}',
    ],
)
def test_shapes(tmp_path: Path, content: str) -> None:
    assert read(written(tmp_path, content)) == [(0, 1.5), (1, 2.0)]


def test_a_value_is_known_after_the_delay(tmp_path: Path) -> None:
    path = written(tmp_path, "as_of,value\n2026-07-25,1.5\n")
    assert read_series(path, FEAR_GREED, MARKET, 7_200) == [
        Reading(FEAR_GREED, MARKET, 1.5, FIRST_MS, FIRST_MS + 7_200_000)
    ]


@pytest.mark.parametrize("row", ["2026-07-26,7,error", "2026-07-26,,ok", "2026-07-26,.,ok"])
def test_rows_that_tell_nothing_are_skipped(tmp_path: Path, row: str) -> None:
    assert read(written(tmp_path, f"as_of,value,status\n2026-07-25,1.5,ok\n{row}\n")) == [(0, 1.5)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: expected a header with as_of, date, timestamp first"),
        ("day,value\n2026-07-25,1\n", "line 1: expected a header"),
        ("as_of,close\n2026-07-25,1\n", "column value"),
        ("as_of,value\n2026-07-25,1\n25.07.2026,2\n", "line 3: expected a date like 2026-05-28"),
        ("as_of,value\n2026-07-25,much\n", "line 2: expected a number, not 'much'"),
        ("as_of,value\n2026-07-25,nan\n", "line 2: expected a number"),
        ("as_of,value\n2026-07-25,1,2\n", "line 2: 3 cells, 2 are expected"),
        ("as_of,value\n2026-07-25,1\n2026-07-25,2\n", "line 3: '2026-07-25' is there twice"),
        ("[1]", 'row 1: expected "date" or "timestamp", and "value"'),
        ('[{"date": "2026-07-25", "value": true}]', "row 1: expected a number, not bool"),
        ('[{"value": 1}]', "row 1: expected a date"),
        ('{"status": 1}', 'expected a list of rows, or one under "data"'),
        ("[1, 2", "neither CSV nor JSON"),
        (b"as_of,value\n\xff\xfe", "is no UTF-8 text"),
    ],
)
def test_an_error_names_the_file_and_the_line(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, content))
    assert str(tmp_path / "series.csv") in str(caught.value)
    assert said in str(caught.value)


def test_what_is_asked_for_wrongly(tmp_path: Path) -> None:
    path = written(tmp_path, "as_of,value\n2026-07-25,1\n")
    with pytest.raises(ConfigError, match=r"no series 'sp501'.*sp500"):
        read_series(path, "sp501", "fred", 0)
    with pytest.raises(ConfigError, match="delay"):
        read_series(path, SP500, "fred", -1)
    with pytest.raises(ConfigError, match="cannot read"):
        read_series(tmp_path / "none.csv", SP500, "fred", 0)
    with pytest.raises(ConfigError, match="cannot read"):
        read_series(tmp_path, SP500, "fred", 0)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from([b"", b"as_of,value\n", b"as_of,value,status\n2026-07-25,1,ok\n", b"[", b"{"]),
    st.binary(max_size=60) | st.text(st.sampled_from('0123456789-,."\n[]{}:'), max_size=60),
)
def test_any_file(tmp_path: Path, start: bytes, rest: bytes | str) -> None:
    path = written(tmp_path, start + (rest if isinstance(rest, bytes) else rest.encode()))
    try:
        found = read_series(path, SP500, "fred", 86_400)
    except ConfigError as error:
        str(error).encode()
        return
    assert all(one.available_at_ms - one.observed_at_ms == DAY_MS for one in found)


@pytest.mark.parametrize(
    ("name", "days", "low", "high"),
    [
        ("btc_dominance_2026-07_08.csv", 21, 40, 70),
        ("btc_dominance_daily_2018_2025-08.csv", 2_700, 20, 80),
        ("total_mcap_daily_2018_2025-08.csv", 2_700, 5e10, 1e13),
        ("dollar_index_daily_fred.csv", 5_000, 80, 140),
        ("sp500_daily_fred.csv", 2_500, 1_500, 10_000),
        ("vix_daily.csv", 9_000, 5, 100),
        ("fear_greed_history_earth.json", 400, 0, 100),
        ("fng_alternative_me_full_to_2026-06-06.json", 3_000, 0, 100),
    ],
)
def test_recorded_series(name: str, days: int, low: float, high: float) -> None:
    found = read_series(recorded("context", name), SP500, "fred", 86_400)
    assert len(found) >= days
    assert all(low <= one.value <= high for one in found)
