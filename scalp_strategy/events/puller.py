"""Takes the sidecar's events into the journal, each once, whatever is killed or replaced when."""

from dataclasses import dataclass, field
from datetime import datetime

from scalp_strategy.events.client import EventClient
from scalp_strategy.journal.event_store import EventStore
from scalp_strategy.journal.outside import OutsideEvent
from scalp_strategy.setting_groups.journal import JournalSettings


@dataclass(slots=True)
class Pulled:
    """What a pull brought.

    Attributes
    ----------
    fresh
        Events that are in the journal now and were not before.
    dropped
        Rows that were not understood.
    is_anew
        Whether the sidecar no longer had the last event that was taken.
    """

    fresh: list[OutsideEvent] = field(default_factory=list)
    dropped: int = 0
    is_anew: bool = False


class EventPuller:
    """Asks for what lies behind the cursor, page by page.

    The event under the cursor is asked for with those behind it. When it is no longer there as it
    was, the sidecar's folder is another one, has lost its end, or has dropped what is old: then all
    that it serves is read, and what was told before is left out by its content.

    Parameters
    ----------
    client, store
        Where events come from and go to.
    settings
        How many are asked for at a time and taken in a pull.
    """

    def __init__(self, client: EventClient, store: EventStore, settings: JournalSettings) -> None:
        self._client, self._store = client, store
        self._page = settings.page_events
        self._pages = -(-settings.pull_events // settings.page_events)

    def recall(self, since: datetime) -> list[OutsideEvent]:
        """Return what was taken before and is not older: it may never have been told.

        Raises
        ------
        StoreError
            The journal could not be read.
        """
        return self._store.recent(since)

    def pull(self, pulled: Pulled) -> None:
        """Take what there is, and note it as it is taken: what a failure leaves is taken next time.

        Raises
        ------
        SourceUnavailable, SourceRejected, PayloadError
            The sidecar's answer could not be had.
        StoreError
            The journal could not be written.
        """
        cursor = self._store.cursor()
        for _ in range(self._pages):
            page = self._client.fetch(max(0, cursor.number - 1), self._page)
            pulled.dropped += page.dropped
            events = page.events
            if cursor.number and not (events and cursor.is_of(events[0])):
                cursor = self._store.begin_anew(cursor)
                pulled.is_anew = True
                continue
            behind = [event for event in events if event.number > cursor.number]
            if not behind:
                return
            taken = self._store.take(cursor, behind)
            cursor = taken.cursor
            pulled.fresh += taken.fresh
