"""ScalpStrategy: Freqtrade's callbacks, each a few lines that call the rooms of the engine.

Hyperopt copies this module by value: it holds no lock, client, enum or dataclass of its own.
"""

import logging
from datetime import UTC, datetime
from typing import Any

from freqtrade.enums import TRADE_MODES, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.persistence import Order, Trade

from scalp_strategy.analysis import CandlesToSignals
from scalp_strategy.announce import summary
from scalp_strategy.contract import Side
from scalp_strategy.engine import Engine
from scalp_strategy.errors import ConfigError
from scalp_strategy.exits import TIME_STOP, candle_open, side_of_trade
from scalp_strategy.host_config import FIXED, check_host_config
from scalp_strategy.signals import SignalKey
from scalp_strategy.telegram.install import install

logger = logging.getLogger(__name__)


class ScalpStrategy(CandlesToSignals):
    """A 15-minute scalp on confluence, sized by risk, left by a ladder of targets."""

    process_only_new_candles = True
    ignore_roi_if_entry_signal = False

    # The ladder does every exit; these keep the host's own exits out of its way.
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

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        if config.get("runmode") in TRADE_MODES:
            # The host starts its Telegram right after it has loaded the strategy.
            install()

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
        self._tell(current_time, self.engine)
        if not self.engine.is_trading:
            self.engine.decide(current_time, self.dp.current_whitelist())

    def analyze(self, pairs: list[str]) -> None:
        """Let the host analyse, then decide the candle that closed last, all pairs together."""
        super().analyze(pairs)
        if self.engine is not None and self.engine.is_trading:
            self._decide_and_announce(pairs, self.engine)

    def ft_bot_cleanup(self) -> None:
        """Write what waits for the journal, then let the host clean up."""
        try:
            if self.engine is not None:
                self.engine.close()
        except Exception:
            logger.exception("The journal could not be closed; its spool is kept.")
        super().ft_bot_cleanup()

    def _decide_and_announce(self, pairs: list[str], engine: Engine) -> None:
        now = datetime.now(UTC)
        try:
            decisions = engine.decide(now, pairs)
        except Exception:
            # No decision, no entry: the callbacks refuse what is not approved.
            logger.exception("The candle could not be decided; no entries are made from it.")
            return
        for decision in decisions:
            logger.info(summary(decision))
        self._tell(now, engine)

    def _tell(self, now: datetime, engine: Engine) -> None:
        try:
            engine.tell(now, self._send)
        except Exception:
            logger.exception("Messages could not be handed over; trading goes on.")

    def _send(self, text: str) -> None:
        self.dp.send_msg(text, always_send=True)

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
        if not self._is_own(trade):
            return False
        if order.safe_filled > 0:
            return _age_s(order, current_time) >= entry.partial_fill_wait_s
        signal_close = candle_open(order.order_date_utc)
        age_s = (current_time - signal_close).total_seconds()
        has_expired = age_s >= entry.signal_expiry_minutes * 60
        if has_expired and self.engine is not None:
            self.engine.expired(SignalKey(pair, side_of_trade(trade), signal_close))
        return has_expired

    def check_exit_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: Any
    ) -> bool:
        """Cancel an exit that must be priced anew, or is half filled, so that it is booked.

        While a half-filled target rests in spot, the host finds too little to exit with.
        """
        ladder = self.base_settings.risk.ladder
        if not self._is_own(trade):
            return False
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
        return self.engine.ask_exits(
            trade,
            "its stop",
            lambda exits: exits.stop_ratio(trade, current_rate, current_time),
            None,
        )

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
        nothing: tuple[float, str] | tuple[None, str] = (None, "")
        if self.engine is None:
            return nothing
        return self.engine.ask_exits(
            trade,
            "its next target",
            lambda exits: exits.exit_order(trade, current_exit_rate, current_time),
            nothing,
        )

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
        if self.engine is None:
            return proposed_rate
        target = self.engine.ask_exits(
            trade, "its target", lambda exits: exits.target(trade, exit_tag or ""), None
        )
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
        if self.engine is not None and self.engine.ask_exits(
            trade, "its time", lambda exits: exits.is_time_up(trade, current_time), False
        ):
            return TIME_STOP
        return None

    def _is_own(self, trade: Trade) -> bool:
        """Whether a trade is this strategy's: others in the same database are left alone."""
        return self.engine is None or self.engine.own_trades.is_own(trade)


def _age_s(order: Order, now: datetime) -> float:
    return float((now - order.order_date_utc).total_seconds())
