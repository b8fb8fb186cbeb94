"""Puts our Telegram in the place of the host's, before the host makes its own."""


def install() -> None:
    """Let the host find our subclass under its own name; again and again does no harm.

    The host imports its class when it starts its messages, after it has loaded the strategy, and
    executes the strategy's module again at each `/reload_config`. For another strategy our class
    makes the host's own, see there.
    """
    # Not at the top: whoever imports the strategy to read it needs no Telegram.
    from freqtrade.rpc import telegram as host_telegram  # noqa: PLC0415

    from scalp_strategy.telegram.bot import Telegram  # noqa: PLC0415

    host_telegram.Telegram = Telegram
