"""ScalpStrategy: Freqtrade's callbacks, each a few lines that call the rooms of the engine.

Hyperopt copies this module by value: it holds no lock, client, enum or dataclass of its own.
"""

import logging
import os
from datetime import UTC, datetime
from typing import Any

from freqtrade.enums import TRADE_MODES, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.ft_types import AnnotationType
from freqtrade.persistence import Order, Trade
from freqtrade.strategy import DecimalParameter, IStrategy
from pandas import DataFrame, concat

from scalp_strategy.analysed import AnalysedPair
from scalp_strategy.announce import announcement, summary
from scalp_strategy.base_rate import base_rates
from scalp_strategy.base_rate import lookback as base_rate_lookback
from scalp_strategy.charts import annotations, plot_config
from scalp_strategy.confluence import confluence
from scalp_strategy.contract import Side
from scalp_strategy.decision import btc_beside
from scalp_strategy.engine import Engine, archive_path, has_sidecar
from scalp_strategy.entries import entry_columns, stop_columns
from scalp_strategy.errors import ConfigError
from scalp_strategy.exits import TIME_STOP, candle_open
from scalp_strategy.fingerprint import archive_fingerprint, code_fingerprint
from scalp_strategy.host_config import (
    FIXED,
    check_api_server,
    check_host_config,
    unread_variables,
)
from scalp_strategy.parameters import TUNABLES, effective_settings, space_values
from scalp_strategy.settings import Settings, load_settings, settings_hash
from scalp_strategy.signals import Decision
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


class ScalpStrategy(IStrategy):
    """A 15-minute scalp on confluence, sized by risk, left by a ladder of targets."""

    INTERFACE_VERSION = 3

    process_only_new_candles = True
    ignore_roi_if_entry_signal = False

    # The ladder does every exit; these keep the host's own exits out of its way.
    timeframe = FIXED["timeframe"]
    minimal_roi = FIXED["minimal_roi"]
    stoploss = FIXED["stoploss"]
    use_custom_stoploss = FIXED["use_custom_stoploss"]
    trailing_stop = FIXED["trailing_stop"]
    use_exit_signal = FIXED["use_exit_signal"]
    exit_profit_only = FIXED["exit_profit_only"]
    position_adjustment_enable = True
    max_entry_position_adjustment = 0

    order_types = {
        "entry": "limit",
        "exit": "limit",
        "stoploss": "market",
        "emergency_exit": "market",
        "force_exit": "market",
        "stoploss_on_exchange": False,
    }

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
        self._awaits_all_pairs = False

    def version(self) -> str:
        """Return what FreqUI shows as the strategy's version: the code and the settings."""
        return f"{code_fingerprint()} {settings_hash(self.base_settings)}"

    # ---- start and loop ----

    def bot_start(self, **kwargs: Any) -> None:
        """Check the host's config and build the engine, once data, wallets and exchange exist."""
        try:
            # An analysis of the host sets orders and stake of its own, and means to.
            if self.dp.runmode != RunMode.UTIL_NO_EXCHANGE:
                check_host_config(self.config, self.base_settings)
            self.engine = Engine(self, self.base_settings)
        except ConfigError as error:
            raise OperationalException(str(error)) from error

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Begin a loop; in a backtest, decide the candle that closed now."""
        if self.engine is None or self.dp.runmode == RunMode.PLOT:
            return
        self.engine.begin_loop(current_time, self.dp.current_whitelist())
        self._send_alerts(current_time, self.engine)
        if not self.engine.is_trading:
            self.engine.decide(current_time, self.dp.current_whitelist())

    def analyze(self, pairs: list[str]) -> None:
        """Let the host analyse, then decide the candle that closed last, all pairs together."""
        super().analyze(pairs)
        if self.engine is not None and self.engine.is_trading:
            self._decide_and_announce(pairs)

    def _decide_and_announce(self, pairs: list[str]) -> None:
        if self.engine is None:
            return
        try:
            decisions = self.engine.decide(datetime.now(UTC), pairs)
        except Exception:
            # No decision, no entry: the callbacks refuse what is not approved.
            logger.exception("The candle could not be decided; no entries are made from it.")
            return
        for decision in decisions:
            self._announce(decision, self.engine)

    def _announce(self, decision: Decision, engine: Engine) -> None:
        try:
            logger.info(summary(decision))
            if decision.is_approved:
                self.dp.send_msg(announcement(decision, engine), always_send=True)
        except Exception:
            logger.exception(
                "%s: the decision could not be announced; it stands.", decision.candidate.pair
            )

    def _send_alerts(self, now: datetime, engine: Engine) -> None:
        try:
            for text in engine.alerts(now):
                self.dp.send_msg(text, always_send=True)
        except Exception:
            logger.exception("The alerts could not be sent; trading goes on.")

    # ---- candles to signals ----

    def informative_pairs(self) -> list[tuple[str, str]]:
        """Ask for the 5m and 1m candles of every scanned pair, unless the sidecar serves them.

        And for those of BTC where it is not scanned: the macro breaker looks at its last hour.
        """
        frames = () if self._is_served else self.base_settings.lower_timeframes
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
            known = base_rates({pair: frames[pair] for pair in pairs}, self.base_settings)
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
        if self.engine is not None:
            known = self.engine.base_rates(pair, frame, self.base_settings)
        else:
            known = base_rates({pair: frame}, self.base_settings)[pair]
        return self._weighed(frame, known)

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

    # ---- entry ----

    def leverage(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: Side,
        **kwargs: Any,
    ) -> float:
        """Return the approved leverage."""
        if self.engine is None:
            return 1.0
        return min(self.engine.leverage(pair, side, current_time), max_leverage)

    def custom_stake_amount(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: Side,
        **kwargs: Any,
    ) -> float:
        """Return the stake of the approved amount, 0 when nothing is approved."""
        if self.engine is None:
            return 0.0
        stake = min(self.engine.stake(pair, side, current_time, current_rate), max_stake)
        return stake if stake >= (min_stake or 0.0) else 0.0

    def confirm_trade_entry(
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: Side,
        **kwargs: Any,
    ) -> bool:
        """Let only an approved entry through; any failure refuses, since the host would not."""
        try:
            engine = self.engine
            return engine is not None and engine.may_enter(pair, side, current_time, rate, amount)
        except Exception:
            logger.exception("%s: the entry could not be checked and is refused.", pair)
            return False

    def check_entry_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Cancel an entry that is not filled when its signal expires, or is half filled.

        The host sees no position, so there is no stop, before the entry's order is closed.
        """
        entry = self.base_settings.entry
        if order.safe_filled > 0:
            return _age_s(order, current_time) >= entry.partial_fill_wait_s
        signal_close = candle_open(order.order_date_utc)
        age_s = (current_time - signal_close).total_seconds()
        return age_s >= entry.signal_expiry_minutes * 60

    def check_exit_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Cancel an exit that must be priced anew, or is half filled, so that it is booked.

        While a half-filled target rests in spot, the host finds too little to exit with.
        """
        ladder = self.base_settings.risk.ladder
        if order.ft_order_tag == TIME_STOP:
            return _age_s(order, current_time) >= ladder.time_stop_reprice_s
        is_partial = order.safe_filled > 0
        return is_partial and _age_s(order, current_time) >= ladder.partial_fill_wait_s

    # ---- exit ----

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: Any,
    ) -> float | None:
        """Return the ladder's stop, None while it stays where it is."""
        if self.engine is None:
            return None
        return self.engine.exits.stop_ratio(trade, current_rate, current_time)

    def adjust_trade_position(
        self,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        min_stake: float | None,
        max_stake: float,
        current_entry_rate: float,
        current_exit_rate: float,
        current_entry_profit: float,
        current_exit_profit: float,
        **kwargs: Any,
    ) -> tuple[float, str] | tuple[None, str]:
        """Place the next target's order."""
        if self.engine is None:
            return None, ""
        return self.engine.exits.exit_order(trade, current_exit_rate, current_time)

    def custom_exit_price(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        proposed_rate: float,
        current_profit: float,
        exit_tag: str | None,
        **kwargs: Any,
    ) -> float:
        """Return the target's price for a target's order, else the market's."""
        target = self.engine.exits.target(trade, exit_tag or "") if self.engine else None
        return proposed_rate if target is None else target

    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: Any,
    ) -> str | None:
        """Close what is left when the time is up."""
        if self.engine is not None and self.engine.exits.is_time_up(trade, current_time):
            return TIME_STOP
        return None

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


def _age_s(order: Order, now: datetime) -> float:
    return float((now - order.order_date_utc).total_seconds())


def _with(frame: DataFrame, columns: DataFrame) -> DataFrame:
    """Return the frame with columns added or replaced, in one copy."""
    kept = frame.drop(columns=[name for name in columns.columns if name in frame.columns])
    return concat([kept, columns], axis=1)
