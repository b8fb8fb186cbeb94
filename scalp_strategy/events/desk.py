"""The sidecar's events beside the trading loop: pulled in the background, told in the loop."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from scalp_strategy.analysed import instant_ns
from scalp_strategy.errors import ScalpError
from scalp_strategy.events.alerts import AlertDesk
from scalp_strategy.events.client import EventClient
from scalp_strategy.events.puller import EventPuller, Pulled
from scalp_strategy.journal.address import journal_url
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.outside import OutsideEvent
from scalp_strategy.journal.store import Journal
from scalp_strategy.settings import Settings

logger = logging.getLogger(__name__)

_BYTES_PER_MB = 2**20
_NS_PER_MS = 1_000_000


class EventDesk:
    """Starts a pull when one is due, and says what is to be told.

    A pull runs in a thread of its own, so a slow sidecar or database delays no trade; at most one
    runs. Without the loop none is started: nothing goes on by itself when the bot stops.

    Parameters
    ----------
    puller
        Takes the events.
    alerts
        Makes messages of them.
    pull_s
        Seconds from the start of a pull to the next.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        puller: EventPuller,
        alerts: AlertDesk,
        pull_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._puller, self._alerts = puller, alerts
        self._pull_s, self._clock = pull_s, clock
        self._pulled: SimpleQueue[OutsideEvent] = SimpleQueue()
        self._thread: Thread | None = None
        self._next_s = float("-inf")
        self._problem: str | None = None
        self._is_dropping = False

    def messages(self, now: datetime) -> list[str]:
        """Return what is to be told now, and start the next pull when it is due; does not wait."""
        if self._clock() >= self._next_s and not self.is_pulling:
            self._next_s = self._clock() + self._pull_s
            self._thread = Thread(target=self._pull, name="events", daemon=True)
            self._thread.start()
        return self._alerts.messages(self._new(), instant_ns(now) // _NS_PER_MS)

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

    def _pull(self) -> None:
        pulled, problem = Pulled(), None
        try:
            self._puller.pull(pulled)
        except ScalpError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next pull must be made
            problem = type(error).__name__
        for event in pulled.fresh:
            self._pulled.put(event)
        self._tell(pulled, problem)

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


def event_desk(
    settings: Settings, environment: Mapping[str, str], journal_file: Path
) -> EventDesk | None:
    """Return the desk that the settings ask for, None where no sidecar has an address.

    Parameters
    ----------
    settings
        `sidecar.url`, `journal`.
    environment
        `SCALP_LAYERS_TOKEN`; `SCALP_JOURNAL_URL` or `DATABASE_URL`.
    journal_file
        The journal when no database is named.

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
    journal = Journal(journal_url(environment, journal_file), rules.database_timeout_s)
    puller = EventPuller(client, EventStore(journal), rules)
    return EventDesk(puller, AlertDesk(rules.alerts), rules.pull_s)
