"""Daily files of every shape the exchange has published, into columns."""

import io
import zipfile

import numpy as np
import pytest

from external_layers.history.parsing import (
    parse_agg_trades,
    parse_book_depth,
    parse_funding_rates,
    parse_klines,
    parse_metrics,
)
from external_layers.history.tables import unzipped
from scalp_strategy.errors import PayloadError
from tests.support.dumps import METRICS_HEADER, TRADE_HEADER

HEADER = TRADE_HEADER.encode() + b"\n"
ROWS = b"7,100.5,2.0,1,1,1748736000000,true\n8,100.6,3.0,2,4,1748736000005,false\n"


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROWS,
        ROWS,
        ROWS.replace(b"true", b"True").replace(b"false", b"False"),
        ROWS.replace(b"\n", b"\r\n"),
        # spot: microseconds, a column more, no header
        b"7,100.5,2.0,1,1,1748736000000123,True,True\n8,100.6,3.0,2,4,1748736000005999,False,True\n",
    ],
)
def test_trades_of_every_shape(content: bytes) -> None:
    columns = parse_agg_trades(content, "f").columns
    assert columns["agg_trade_id"].tolist() == [7, 8]
    assert columns["price"].tolist() == [100.5, 100.6]
    assert columns["quantity"].tolist() == [2.0, 3.0]
    assert columns["transact_time"].tolist() == [1748736000000, 1748736000005]
    assert columns["is_buyer_maker"].tolist() == [True, False]


def test_columns_are_found_by_name_when_there_is_a_header() -> None:
    content = b"agg_trade_id,is_buyer_maker,transact_time,quantity,price\n7,true,5,2.0,100.5\n"
    assert parse_agg_trades(content, "f").columns["price"].tolist() == [100.5]
    with pytest.raises(PayloadError, match=r"some\.zip.*'price'"):
        parse_agg_trades(b"agg_trade_id,cost\n7,1\n", "some.zip")


def test_trades_are_ordered_by_id_and_repeated_ones_dropped() -> None:
    shuffled = b"9,1,1,1,1,30,true\n7,1,1,1,1,10,true\n9,1,1,1,1,30,true\n8,1,1,1,1,20,true\n"
    table = parse_agg_trades(shuffled, "f")
    assert table.columns["agg_trade_id"].tolist() == [7, 8, 9]
    assert table.columns["transact_time"].tolist() == [10, 20, 30]
    assert table.dropped == 1


@pytest.mark.parametrize(
    "bad",
    [
        b"9,abc,1,1,1,5,true", b"9,1", b"9,1,1,1,1,5,true,x,y,z", b",,,,,,", b"9,nan,1,1,1,5,true",
        b"9,1,1,1,1,5,maybe", b"9,0,1,1,1,5,true", b"9,1,-1,1,1,5,true", b"9,inf,1,1,1,5,true",
        b"9.5,1,1,1,1,5,true", b"9,1,1,1,1,2025-06-01,true", b"99999999999999999999,1,1,1,1,5,true",
    ],
)  # fmt: skip
@pytest.mark.parametrize("header", [b"", HEADER])
def test_a_bad_row_is_counted_and_harms_no_other(header: bytes, bad: bytes) -> None:
    table = parse_agg_trades(header + ROWS + bad + b"\n", "f")
    assert (len(table), table.dropped) == (2, 1)
    assert np.isfinite(table.columns["price"]).all()


@pytest.mark.parametrize("content", [b"", b"\n", HEADER])
def test_an_empty_file_has_no_rows(content: bytes) -> None:
    table = parse_agg_trades(content, "f")
    assert (len(table), table.dropped) == (0, 0)


def test_candles_close_where_the_next_begins() -> None:
    row = b"1748736000000,1,2,0.5,1.5,10,1748736059999,15,4,6,9,0\n"
    for content in (row, row.replace(b"000,1,", b"000000,1,").replace(b"9999,", b"9999999,")):
        columns = parse_klines(content, "f").columns
        assert columns["open_time"].tolist() == [1748736000000]
        assert columns["close_time"].tolist() == [1748736060000]
        assert columns["taker_buy_volume"].tolist() == [6.0]
    too_much = parse_klines(row.replace(b"4,6,9", b"4,11,9"), "f")
    assert (len(too_much), too_much.dropped) == (0, 1)


def test_open_interest_out_of_order_with_blanks_and_zeros() -> None:
    rows = (
        "2025-06-01 00:10:00,BTCUSDT,100.5,1,1,1,1,1\n2025-06-01 00:05:00,BTCUSDT,99.5,1,,1,,1\n"
        "2025-06-01 00:15:00,BTCUSDT,,1,1,1,1,1\n2025-06-01 00:20:00,BTCUSDT,0,1,1,1,1,1\n"
        "soon,BTCUSDT,5,1,1,1,1,1\n"
    )
    table = parse_metrics(f"{METRICS_HEADER}\n{rows}".encode(), "f")
    assert table.columns["create_time"].tolist() == [1748736300000, 1748736600000]
    assert table.columns["sum_open_interest"].tolist() == [99.5, 100.5]
    assert table.dropped == 3


def test_funding_and_book_bands() -> None:
    funding = b"calc_time,funding_interval_hours,last_funding_rate\n1748736000007,8,-0.00005703\n"
    columns = parse_funding_rates(funding, "f").columns
    assert columns["calc_time"].tolist() == [1748736000007]
    assert columns["last_funding_rate"].tolist() == [-0.00005703]
    bands = b"timestamp,percentage,depth,notional\n2025-06-01 00:00:05,1.00,5,6\n"
    bands += b"2025-06-01 00:00:05,-5,7,8\n"
    depth = parse_book_depth(bands, "f").columns
    assert depth["percentage"].tolist() == [-5.0, 1.0]
    assert depth["timestamp"].tolist() == [1748736005000] * 2


def test_a_zip_that_is_cut_off_or_holds_more_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "1,2\n" * 1_000)
    whole = packed.getvalue()
    assert unzipped(whole, "a.zip").startswith(b"1,2\n")
    middle = len(whole) // 3
    for damaged in (whole[:-30], whole[:10], b"", whole[:middle] + b"\0\0" + whole[middle + 2 :]):
        with pytest.raises(PayloadError, match=r"a\.zip"):
            unzipped(damaged, "a.zip")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("b.csv", "x")
    with pytest.raises(PayloadError, match="2 files"):
        unzipped(packed.getvalue(), "a.zip")
