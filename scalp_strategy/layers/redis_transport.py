"""The sidecar's latest scores over Redis: one pipeline round trip."""

from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scalp_strategy.contract import MARKET_WIDE
from scalp_strategy.errors import ConfigError, PayloadError, SourceUnavailable
from scalp_strategy.layers.answer import Answer, Ask, decoded
from scalp_strategy.layers.candles import TIMEFRAMES_MS

_PREFIX: Final = "scalp:v1"


class RedisTransport:
    """Reads the hashes ``scalp:v1:score:<layer>`` and ``scalp:v1:candles:<timeframe>``.

    There is no history: after an outage the closes in between stay unknown.

    Parameters
    ----------
    url
        E.g. ``redis://127.0.0.1:6379/0``; its password appears in no message.
    layers
        The layers to read.
    timeout_s
        Limit of each step of a call; the limit of the whole is the caller's.
    prefix
        Of every key.

    Raises
    ------
    ConfigError
        When the URL is none.
    """

    has_history = False

    def __init__(
        self, url: str, layers: tuple[str, ...], timeout_s: float, prefix: str = _PREFIX
    ) -> None:
        self._url, self._layers, self._timeout_s = url, layers, timeout_s
        self._prefix = prefix
        self._client: redis.Redis | None = None
        try:
            self._connected().close()
        except ValueError:
            raise ConfigError("REDIS_URL: must be redis://host:port/number or the like") from None

    def fetch(self, ask: Ask) -> Answer:
        """Return the latest rows; see `Transport.fetch`."""
        pairs = [*ask.pairs, MARKET_WIDE]
        client = self._client = self._client or self._connected()
        try:
            with client.pipeline(transaction=False) as pipeline:
                for layer in self._layers:
                    pipeline.hmget(f"{self._prefix}:score:{layer}", pairs)
                for timeframe in TIMEFRAMES_MS:
                    pipeline.hmget(f"{self._prefix}:candles:{timeframe}", pairs)
                values = pipeline.execute()
        except (redis.RedisError, OSError) as error:
            raise SourceUnavailable(f"Redis: {type(error).__name__}") from None
        return self._answer(ask, pairs, values)

    def drop(self) -> None:
        """Forget the connection; a call that hangs in it ends by its own time limits."""
        self._client = None

    def _answer(self, ask: Ask, pairs: list[str], values: list[Any]) -> Answer:
        answer = Answer(ask.close_ms, set(pairs))
        count = len(self._layers)
        for fields in values[:count]:
            for pair, text in zip(pairs, fields, strict=True):
                answer.add_components(pair, _rows(text))
        for timeframe, fields in zip(TIMEFRAMES_MS, values[count:], strict=True):
            for pair, text in zip(pairs, fields, strict=True):
                answer.add_candles(pair, timeframe, _rows(text))
        return answer

    def _connected(self) -> redis.Redis:
        return redis.Redis.from_url(
            self._url,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=Retry(NoBackoff(), 0),
        )


def _rows(text: bytes | None) -> Any:
    """Rows of a field: none when it is not there, no list when it is garbage."""
    if text is None:
        return []
    try:
        return decoded(text)
    except PayloadError:
        return None
