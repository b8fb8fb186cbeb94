from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.persistence import LocalTrade
from host_results import PAIR, candles, store_run


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that has the host write trades into a user directory's results."""

    def write(
        trades: list[LocalTrade], frames: dict[str, pd.DataFrame] | None = None, **options: Any
    ) -> Path:
        folder = tmp_path / "user_data" / "backtest_results"
        return store_run(folder, trades, frames or {PAIR: candles()}, **options)

    return write
