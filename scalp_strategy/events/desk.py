"""The sidecar's events beside the trading loop: pulled in the background, told in the loop."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Final

from scalp_strategy.analysed import instant_ns
from scalp_strategy.errors import (
    PayloadError,
    ScalpError,
    SourceRejected,
    SourceUnavailable,
    StoreError,
)
from scalp_strategy.events.alerts import AlertDesk
from scalp_strategy.events.client import EventClient
from scalp_strategy.events.puller import EventPuller, Pulled
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.outside import OutsideEvent
from scalp_strategy.journal.records import MessageRecord
from scalp_strategy.journal.store import Journal
from scalp_strategy.notice import Notice
from scalp_strategy.setting_groups.journal import JournalSettings
from scalp_strategy.settings import Settings

logger = logging.getLogger(__name__)

_BYTES_PER_MB = 2**20
_NS_PER_MS = 1_000_000
# So long a desk that was left behind by a reload may still take events, and tell nobody.
_RECALL_S: Final = 120.0
_SIDECAR_ERRORS: Final = (SourceUnavailable, SourceRejected, PayloadError)


class EventDesk:
    """Starts a pull when one is due, and says what is to be told.

    A pull runs in a thread of its own, so a slow sidecar or database delays no trade; at most one
    runs. Without the loop none is started: nothing goes on by itself when the bot stops.

    After a start, what the journal has of the last while is told too, unless it was: a kill may
    have come between the two.

    Parameters
    ----------
    puller
        Takes the events.
    alerts
        Makes notices of them.
    settings
        `pull_s`, and how old an event may be to be told.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        puller: EventPuller,
        alerts: AlertDesk,
        settings: JournalSettings,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._puller, self._alerts = puller, alerts
        self._pull_s, self._clock = settings.pull_s, clock
        self._max_age = timedelta(seconds=settings.alerts.max_age_s)
        self._pulled: SimpleQueue[OutsideEvent] = SimpleQueue()
        self._thread: Thread | None = None
        self._next_s = float("-inf")
        self._problem: str | None = None
        self._sidecar_problem: str | None = None
        self._is_dropping = False
        self._recalls_until_s: float | None = None
        self._is_recalled = False

    def restore(self, messages: Iterable[MessageRecord]) -> None:
        """Take over what was told before a restart, before the first notice is asked for."""
        self._alerts.restore(messages)

    def notices(self, now: datetime) -> list[Notice]:
        """Return what is to be told now, and start the next pull when it is due; does not wait."""
        if self._clock() >= self._next_s and not self.is_pulling:
            self._next_s = self._clock() + self._pull_s
            self._thread = Thread(target=self._pull, args=(now,), name="events", daemon=True)
            self._thread.start()
        return self._alerts.notices(self._new(), instant_ns(now) // _NS_PER_MS)

    @property
    def problem(self) -> str | None:
        """Why the sidecar gave no events when it was last asked, None when it did."""
        return self._sidecar_problem

    @property
    def is_pulling(self) -> bool:
        """Whether a pull is under way."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, limit_s: float) -> bool:
        """Wait for the pull that is under way, if any; return whether it has ended in time."""
        if self._thread is not None:
            self._thread.join(limit_s)
        return not self.is_pulling

    def _new(self) -> Iterator[OutsideEvent]:
        while True:
            try:
                yield self._pulled.get_nowait()
            except Empty:
                return

    def _pull(self, now: datetime) -> None:
        pulled = Pulled()
        steps = (partial(self._recall, now), partial(self._puller.pull, pulled))
        errors = [error for step in steps if (error := _error_of(step)) is not None]
        for event in pulled.fresh:
            self._pulled.put(event)
        # A journal that fails says nothing of the sidecar.
        if not any(isinstance(error, StoreError) for error in errors):
            of_sidecar = [error for error in errors if isinstance(error, _SIDECAR_ERRORS)]
            self._sidecar_problem = str(of_sidecar[0]) if of_sidecar else None
        self._tell(pulled, _words(errors[0]) if errors else None)

    def _recall(self, now: datetime) -> None:
        """Take what may have been left untold, until nobody else can take anything any more."""
        if self._is_recalled:
            return
        if self._recalls_until_s is None:
            self._recalls_until_s = self._clock() + _RECALL_S
        is_last = self._clock() >= self._recalls_until_s
        for event in self._puller.recall(now - self._max_age):
            self._pulled.put(event)
        self._is_recalled = is_last

    def _tell(self, pulled: Pulled, problem: str | None) -> None:
        """Log a failure once and the recovery once, and events not understood once."""
        if pulled.is_anew:
            logger.warning("The sidecar no longer has the last event taken; all it has is read.")
        if problem is not None and self._problem is None:
            logger.warning("The sidecar's events could not be journalled (%s); later.", problem)
        elif problem is None and self._problem is not None:
            logger.warning("The sidecar's events are journalled again.")
        self._problem = problem
        if pulled.dropped and not self._is_dropping:
            logger.warning("%d events of the sidecar were not understood.", pulled.dropped)
        if problem is None:
            self._is_dropping = pulled.dropped > 0


def _error_of(step: Callable[[], None]) -> Exception | None:
    try:
        step()
    except Exception as error:  # noqa: BLE001 - whatever it is, the next pull must be made
        return error
    return None


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, ScalpError) else type(error).__name__


def event_desk(
    settings: Settings, environment: Mapping[str, str], journal: Journal, bot: str
) -> EventDesk | None:
    """Return the desk that the settings ask for, None where no sidecar has an address.

    Parameters
    ----------
    settings
        `sidecar.url`, `journal`, `telegram.health_alerts`.
    environment
        `SCALP_LAYERS_TOKEN`.
    journal
        Where they are kept.
    bot
        Who is told of them.

    Raises
    ------
    ConfigError
        An address is malformed, or the database's driver is missing.
    """
    rules, url = settings.journal, settings.sidecar.url
    if not url:
        return None
    token = environment.get("SCALP_LAYERS_TOKEN", "")
    max_bytes = int(rules.max_answer_mb * _BYTES_PER_MB)
    client = EventClient(url, token, rules.pull_timeout_s, max_bytes)
    puller = EventPuller(client, EventStore(journal, bot), rules)
    alerts = AlertDesk(rules.alerts, health_alerts=settings.telegram.health_alerts)
    return EventDesk(puller, alerts, rules)
