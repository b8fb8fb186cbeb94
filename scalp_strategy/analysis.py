"""From candles to signals: the part of the strategy that the host calls to analyse.

Hyperopt copies this module by value: it holds no lock, client, enum or dataclass of its own.
"""

import logging
import os
from datetime import datetime
from typing import Any

from freqtrade.enums import TRADE_MODES, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.ft_types import AnnotationType
from freqtrade.strategy import DecimalParameter, IStrategy
from pandas import DataFrame, concat

from scalp_strategy.analysed import AnalysedPair
from scalp_strategy.base_rate import base_rates
from scalp_strategy.base_rate import lookback as base_rate_lookback
from scalp_strategy.charts import annotations, plot_config
from scalp_strategy.confluence import confluence
from scalp_strategy.decision import btc_beside
from scalp_strategy.engine import Engine, archive_path, has_sidecar
from scalp_strategy.entries import entry_columns, stop_columns
from scalp_strategy.errors import ConfigError
from scalp_strategy.fingerprint import archive_fingerprint, code_fingerprint
from scalp_strategy.host import HOUR
from scalp_strategy.host_config import FIXED, check_api_server, unread_variables
from scalp_strategy.parameters import TUNABLES, effective_settings, space_values
from scalp_strategy.settings import Settings, load_settings, settings_hash
from scalp_strategy.technical import technical_frame, technical_score, top_setup

logger = logging.getLogger(__name__)

_BY_NAME = {tunable.name: tunable for tunable in TUNABLES}
_DEFAULTS = space_values(Settings())


def _parameter(name: str) -> DecimalParameter:
    """Return the host's parameter for a tunable setting; the config sets its value at start."""
    tunable = _BY_NAME[name]
    return DecimalParameter(
        tunable.low,
        tunable.high,
        default=_DEFAULTS[name],
        decimals=tunable.decimals,
        space=tunable.space,
    )


class CandlesToSignals(IStrategy):
    """Analyses candles and marks entries; who decides and trades is built on it."""

    INTERFACE_VERSION = 3

    timeframe = FIXED["timeframe"]

    weight_technical = _parameter("weight_technical")
    weight_orderflow = _parameter("weight_orderflow")
    weight_onchain = _parameter("weight_onchain")
    weight_sentiment = _parameter("weight_sentiment")
    weight_base_rate = _parameter("weight_base_rate")

    indicator_rsi = _parameter("indicator_rsi")
    indicator_ema_structure = _parameter("indicator_ema_structure")
    indicator_vwap = _parameter("indicator_vwap")
    indicator_macd = _parameter("indicator_macd")
    indicator_bollinger = _parameter("indicator_bollinger")
    indicator_obv = _parameter("indicator_obv")
    indicator_stochrsi = _parameter("indicator_stochrsi")
    indicator_volume = _parameter("indicator_volume")
    indicator_support_resistance = _parameter("indicator_support_resistance")
    indicator_pattern = _parameter("indicator_pattern")

    high_threshold = _parameter("high_threshold")
    medium_threshold = _parameter("medium_threshold")
    min_atr_pct = _parameter("min_atr_pct")
    min_volume_ratio = _parameter("min_volume_ratio")

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        # Not the host's ConfigurationError: with that one it ends with exit code 0.
        try:
            self.base_settings = load_settings(config, os.environ)
            if config.get("runmode") in TRADE_MODES:
                check_api_server(config)
                for warning in unread_variables(os.environ):
                    logger.warning(warning)
        except ConfigError as error:
            raise OperationalException(str(error)) from error
        # The host's cache of backtests knows the config and the strategy's file, not the package
        # nor the archive, and it keeps the original config with a result.
        archive = archive_fingerprint(archive_path(config, self.base_settings))
        for kept in (config, config.get("original_config", {})):
            kept["scalp_code"] = code_fingerprint()
            kept["scalp_settings"] = settings_hash(self.base_settings)
            kept["scalp_archive"] = archive
        self.plot_config = plot_config(self.base_settings)
        self.can_short = config.get("trading_mode") == "futures"
        self.startup_candle_count = base_rate_lookback(self.base_settings)
        self.ignore_buying_expired_candle_after = (
            self.base_settings.entry.signal_expiry_minutes * 60
        )
        # The host merges its parameter file over these; hyperopt sets its epoch over both.
        for space in {tunable.space for tunable in TUNABLES}:
            setattr(self, f"{space}_params", space_values(self.base_settings, space))
        self.engine: Engine | None = None
        self.telegram_bot: Any = None
        self._awaits_all_pairs = False

    def version(self) -> str:
        """Return what FreqUI shows as the strategy's version: the code and the settings."""
        return f"{code_fingerprint()} {settings_hash(self.base_settings)}"

    def informative_pairs(self) -> list[tuple[str, str]]:
        """Ask for the 5m and 1m candles of every scanned pair, unless the sidecar serves them.

        And for the hourly ones, which reach far enough back for the correlation breaker, and for
        those of BTC where it is not scanned: the macro breaker looks at its last hour.
        """
        lower = () if self._is_served else self.base_settings.lower_timeframes
        frames = (*lower, *((HOUR,) if self.dp.runmode in TRADE_MODES else ()))
        pairs = self.dp.current_whitelist()
        beside = sorted({btc_beside(pair) for pair in pairs} - {*pairs})
        btc = [(pair, self.timeframe) for pair in beside if self.dp.market(pair) is not None]
        return [*((pair, frame) for pair in pairs for frame in frames), *btc]

    def advise_all_indicators(self, data: dict[str, DataFrame]) -> dict[str, DataFrame]:
        """Analyse every pair, then look at their past together; outside hyperopt score them.

        The host's bias analyses compare a run of all pairs with runs of one, so there each pair
        knows its own past only.
        """
        self._awaits_all_pairs = True
        try:
            frames: dict[str, DataFrame] = super().advise_all_indicators(data)
        finally:
            self._awaits_all_pairs = False
        is_alone = self.dp is not None and self.dp.runmode == RunMode.UTIL_NO_EXCHANGE
        for pairs in [[pair] for pair in frames] if is_alone else [list(frames)]:
            known = self._base_rates({pair: frames[pair] for pair in pairs})
            frames |= {pair: self._weighed(frames[pair], known[pair]) for pair in pairs}
        return frames

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Add sub-scores, levels and stop, the pair's past, and outside hyperopt the scores.

        Where all pairs are analysed at once, their past is added once all are known.
        """
        lower = {frame: self.candles_shown(metadata["pair"], frame) for frame in ("5m", "1m")}
        columns = technical_frame(dataframe, lower["5m"], lower["1m"], self.base_settings)
        parts = [dataframe, columns]
        if self.engine is not None:
            dates = dataframe["date"]
            parts.append(self.engine.layer_columns(metadata["pair"], dates, self.base_settings))
        frame = concat(parts, axis=1)
        stops = DataFrame(stop_columns(frame, self.base_settings), index=frame.index)
        frame = concat([frame, stops], axis=1)
        if self._awaits_all_pairs:
            return frame
        pair = metadata["pair"]
        return self._weighed(frame, self._base_rates({pair: frame})[pair])

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Mark the entries; in hyperopt weigh the sub-scores with the epoch's parameters first."""
        frame = self._scored(dataframe) if self._is_hyperopt else dataframe
        settings = self.settings
        frame = _with(frame, entry_columns(frame, settings, can_short=self.can_short))
        if self.engine is not None:
            self.engine.desk.use(settings)
            self.engine.desk.offer(AnalysedPair(metadata["pair"], frame, settings))
        return frame

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Leave every exit to the ladder."""
        return dataframe

    @property
    def settings(self) -> Settings:
        """The effective settings: configured, with the parameters' present values."""
        values = {name: getattr(self, name).value for name in _BY_NAME}
        return effective_settings(self.base_settings, values)

    def _base_rates(self, frames: dict[str, DataFrame]) -> dict[str, DataFrame]:
        if self.engine is not None:
            return self.engine.base_rates(frames, self.base_settings)
        return base_rates(frames, self.base_settings)

    @property
    def _is_hyperopt(self) -> bool:
        return self.dp is not None and self.dp.runmode == RunMode.HYPEROPT

    def _weighed(self, frame: DataFrame, base_rate: DataFrame) -> DataFrame:
        """Return the frame with its base rates, outside hyperopt with its scores as well."""
        frame = concat([frame, base_rate], axis=1)
        return frame if self._is_hyperopt else self._scored(frame)

    def _scored(self, frame: DataFrame) -> DataFrame:
        settings = self.settings
        frame = _with(frame, technical_score(frame, settings))
        frame = _with(frame, top_setup(frame, settings))
        return _with(frame, confluence(frame, settings))

    @property
    def _is_served(self) -> bool:
        return self.dp.runmode in TRADE_MODES and has_sidecar(self.base_settings)

    def candles_shown(self, pair: str, timeframe: str) -> DataFrame | None:
        """Return the candles of a pair that are known now, None where there are none."""
        is_own = timeframe == self.timeframe
        if self.dp is None or not (is_own or timeframe in self.base_settings.lower_timeframes):
            return None
        if self._is_served and not is_own:
            return self.engine.candles(pair, timeframe) if self.engine is not None else None
        candles = self.dp.get_pair_dataframe(pair, timeframe)
        return None if candles.empty else candles

    # ---- charts ----

    def plot_annotations(
        self,
        pair: str,
        start_date: datetime,
        end_date: datetime,
        dataframe: DataFrame,
        **kwargs: Any,
    ) -> list[AnnotationType]:
        """Return patterns, fair value gaps and levels for the chart."""
        return annotations(dataframe)


def _with(frame: DataFrame, columns: DataFrame) -> DataFrame:
    """Return the frame with columns added or replaced, in one copy."""
    kept = frame.drop(columns=[name for name in columns.columns if name in frame.columns])
    return concat([kept, columns], axis=1)
