"""One source being asked again and again: when, with what, and what its failures lead to.

=======================  ========================================================================
what happened            what follows
=======================  ========================================================================
`SourceUnavailable`      repeated at once within `retries`; then again after `circuit_first_s`,
                         doubling up to `circuit_max_s`, but no later than its cadence
the same, facts told     a part of it failed: told, and the next fetch at its cadence
`RateLimited`            as above without the repetition, and not before the pause ends
`NoTurn`                 as above, and not before the budget has room; the provider is not blamed
`PayloadError`           counted, a sample kept; the next fetch at its cadence
`SourceRejected`, keys   401, 403, or said by the source: off until a restart
`SourceRejected`, else   again after its cadence, `circuit_max_s` at the least
any other exception      a bug: logged with its trace; the next fetch at its cadence
=======================  ========================================================================

All spans are measured on the monotonic clock, so a clock that is set does no harm while the process
runs; what is remembered over a restart is cut to the longest wait it could have been.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from external_layers.binance.pacing import Backoff
from external_layers.sources.answers import StatusRejected
from external_layers.sources.client import HttpClient, Wire
from external_layers.sources.facts import Fact
from external_layers.sources.gate import NoTurn, Trial
from external_layers.sources.ledger import Ledger
from external_layers.sources.memory_file import KeptSource
from external_layers.sources.remembered import Remembered
from external_layers.sources.scrub import Keys, Secrets
from external_layers.sources.spec import FetchContext, Source, SourceSpec
from external_layers.sources.state import SourceState
from scalp_strategy.errors import (
    PayloadError,
    RateLimited,
    SourceRejected,
    SourceUnavailable,
)
from scalp_strategy.settings import Settings

_MS_PER_S: Final = 1_000
_KEY_STATUSES: Final = (None, 401, 403)  # None: the source read it in the answer

Market = Callable[[], tuple[tuple[str, ...], Callable[[str], float]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sources share.

    Attributes
    ----------
    settings
        The effective settings.
    market
        Base assets of the watched pairs, and the US dollars of a token now.
    deliver
        Gets the facts of a source.
    on_change
        Told (source, problem or None) when it begins to fail and when it works again.
    save, changed
        Write down what is known now; note that it has changed.
    """

    settings: Settings
    market: Market
    deliver: Callable[[SourceSpec, Sequence[Fact]], None]
    on_change: Callable[[str, str | None], None]
    save: Callable[[], Awaitable[None]]
    changed: Callable[[], None]


class SourceRun:
    """Asks a source for ever.

    Parameters
    ----------
    source
        The source.
    wire
        The way to its provider.
    around
        What it shares with the others.
    keys
        Values of its environment variables that are set.
    why_off
        Why it is not asked; None = it is.
    """

    def __init__(
        self,
        source: Source,
        wire: Wire,
        around: Surroundings,
        keys: Mapping[str, str],
        why_off: str | None,
    ) -> None:
        self.spec = source.spec
        self.why_off = why_off
        self._source = source
        self._wire = wire
        self._timing = wire.timing
        self._around = around
        self._settings = around.settings.sources
        self._keys = Keys(keys)
        self._secrets = Secrets(keys.values())
        self._every_s = self._settings.every_s.get(self.spec.name, self.spec.every_s)
        self._due_s = self._timing.monotonic_s()
        self._ledger = Ledger(self.spec.name, self._secrets, around.on_change)
        self._remembered = Remembered(self._secrets)
        self._client: HttpClient | None = None
        self._trial: Trial | None = None
        self._has_told = False  # in this attempt
        self._busy = asyncio.Lock()

    # ---- asking ----

    async def run(self) -> None:
        """Ask until it is off; nothing that a source does ends this."""
        while self.why_off is None:
            try:
                await self._until_due()
                await self._fetch()
            except Exception as error:  # noqa: BLE001 - one source's bug must not end its task
                self._failed(error, self._now_s())

    async def try_out(self) -> None:
        """Ask once, now, leaving schedule and memory as they are; the calls count.

        A provider that is paused, or whose circuit is open, is not asked. A stream is listened to
        for as long as a fetch may take.
        """
        if self.why_off is not None or self._busy.locked():
            return
        if (closed_s := self._wire.gate.closed_s()) > 0:
            self._ledger.failed(NoTurn(f"the provider is left alone for {closed_s:.0f} s more"))
            return
        async with self._busy:
            remembered, due_s = self._remembered.copy(), self._due_s
            with suppress(TimeoutError):
                async with asyncio.timeout(self.spec.timeout_s if self.spec.is_stream else None):
                    await self._ask()
            self._remembered, self._due_s = remembered, due_s
        await self._around.save()

    async def _until_due(self) -> None:
        while (wait_s := self._due_s - self._now_s()) > 0:
            await self._timing.sleep(wait_s)

    async def _fetch(self) -> None:
        async with self._busy:
            self._trial = await self._wire.gate.enter()
            has_worked: bool | None = None
            try:
                has_worked = await self._ask()
            finally:
                self._wire.gate.leave(self._trial, has_worked)
                self._around.changed()

    async def _ask(self) -> bool | None:
        """Fetch with repetitions; return whether the provider answered, None = not known."""
        self._ledger.last_attempt_ms = self._timing.now_ms()
        begun_s = self._now_s()
        # What a process that ends amid the fetch leaves: to the next one it has failed.
        self._due_s = begun_s + self._wait_after_failure()
        try:
            await self._attempts()
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            return self._failed(RuntimeError("the fetch cancelled itself"), begun_s)
        except Exception as error:  # noqa: BLE001 - whatever a source does harms no other
            return self._failed(error, begun_s)
        finally:
            self._client = None
        self._ledger.worked(self._timing.now_ms())
        self._due_s = self._regular_s(begun_s)
        return True

    def _regular_s(self, begun_s: float) -> float:
        """Return when to ask next when a fetch that began then needs no other wait."""
        start_s = self._now_s() if self.spec.is_stream else begun_s
        return start_s + self._jittered(self._every_s)

    async def _attempts(self) -> None:
        retry = Backoff(
            self._settings.retry_first_s, self._settings.retry_max_s, self._settings.jitter
        )
        repetitions = 0 if self.spec.is_stream else self._settings.retries
        for attempt in range(1, repetitions + 1):
            try:
                return await self._attempt()
            except RateLimited:
                raise
            except SourceUnavailable:
                if self._has_told:
                    raise
                await self._timing.sleep(retry.wait_s(attempt, self._timing.random()))
        return await self._attempt()

    async def _attempt(self) -> None:
        deadline_s = self._now_s() + self.spec.timeout_s
        known, self._has_told = self._remembered.validators, False
        client = HttpClient(self.spec, self._wire, self._secrets, deadline_s, known)
        self._client = client
        await self._around.save()  # from here on the calls of this fetch count, whatever happens
        context = self._context(client)
        context.deliver(await self._facts(client, context))

    async def _facts(self, client: HttpClient, context: FetchContext) -> Sequence[Fact]:
        if self.spec.is_stream:
            return await self._listened(client, context)
        try:
            async with asyncio.timeout(self.spec.timeout_s):
                return await self._source.fetch(client, context)
        except TimeoutError:
            limit = f"within {self.spec.timeout_s:g} s"
            if client.is_waiting:
                raise NoTurn(f"{self.spec.name}: no turn {limit}") from None
            raise SourceUnavailable(f"{self.spec.name}: no answer {limit}") from None

    async def _listened(self, client: HttpClient, context: FetchContext) -> Sequence[Fact]:
        begun_s = self._now_s()
        settling = asyncio.create_task(self._settle())
        try:
            facts = await self._source.fetch(client, context)
        finally:
            settling.cancel()
            with suppress(asyncio.CancelledError):
                await settling
        lasted_s = self._now_s() - begun_s
        if lasted_s < self._settings.stable_s:
            raise SourceUnavailable(f"{self.spec.name}: ended after {lasted_s:.0f} s")
        return facts

    async def _settle(self) -> None:
        """Count a stream as working once it has lasted."""
        await self._timing.sleep(self._settings.stable_s)
        self._wire.gate.leave(self._trial, has_worked=True)
        self._ledger.worked(self._timing.now_ms())

    def _context(self, client: HttpClient) -> FetchContext:
        tokens, price = self._around.market()
        memory = self._remembered.memory()

        def deliver(facts: Sequence[Fact]) -> None:
            self._deliver(facts)
            self._remembered.keep(memory, client.conditions.known)
            self._around.changed()

        return FetchContext(
            now_ms=self._timing.now_ms,
            settings=self._around.settings,
            keys=self._keys,
            tokens=tokens,
            price=price,
            memory=memory,
            deliver=deliver,
        )

    def _deliver(self, facts: Sequence[Fact]) -> None:
        if not facts:
            return
        self._around.deliver(self.spec, facts)
        self._has_told = True
        self._ledger.facts += len(facts)
        self._ledger.last_success_ms = self._timing.now_ms()

    # ---- how it went ----

    def _failed(self, error: BaseException, begun_s: float) -> bool | None:
        """Note a failure and set when to ask next; return whether the provider answered."""
        self._due_s = self._regular_s(begun_s)
        if isinstance(error, SourceRejected):
            return self._rejected(error)
        if not isinstance(error, SourceUnavailable | PayloadError):
            self._ledger.broke(error)
            return None
        self._ledger.failed(error)
        if isinstance(error, SourceUnavailable):
            return self._not_answered(error)
        self._ledger.payload_errors += 1
        self._ledger.sample = self._client.sample if self._client else None
        return True

    def _not_answered(self, error: SourceUnavailable) -> bool | None:
        gate, is_refusal = self._wire.gate, isinstance(error, NoTurn)
        if is_refusal:
            self._ledger.refusals += 1
        elif isinstance(error, RateLimited) and gate.pause_s() == 0:
            gate.pause(self._settings.default_pause_s)  # the source read it in the answer
        has_answered = self._has_told and not self.spec.is_stream
        wait_s = self._every_s if has_answered else self._wait_after_failure()
        self._due_s = self._now_s() + max(self._jittered(wait_s), gate.free_s())
        return None if is_refusal else has_answered

    def _wait_after_failure(self) -> float:
        is_stream = self.spec.is_stream
        first_s = self._every_s if is_stream else self._settings.circuit_first_s
        again = Backoff(first_s, max(first_s, self._settings.circuit_max_s), 0.0)
        wait_s = again.wait_s(max(1, self._ledger.failures), 0.5)
        return wait_s if is_stream else min(wait_s, self._every_s)

    def _rejected(self, error: SourceRejected) -> bool:
        wait_s = max(self._every_s, self._settings.circuit_max_s)
        self._due_s = self._now_s() + self._jittered(wait_s)
        status = error.status if isinstance(error, StatusRejected) else None
        if self._keys and status in _KEY_STATUSES:
            why = self._secrets.shown(str(error))
            self.why_off = f"off until a restart: {' and '.join(self._keys)} refused: {why}"
            self._ledger.switched_off(self.why_off)
        else:
            self._ledger.failed(error)
        return True

    # ---- over restarts ----

    @property
    def reserved(self) -> int:
        """Calls that the fetch under way has still to make, about."""
        return max(0, self.spec.calls - self._client.calls) if self._client else 0

    def kept(self) -> KeptSource:
        """Return what has to be remembered."""
        return KeptSource(
            due_ms=self._epoch_ms(self._due_s),
            last_attempt_ms=self._ledger.last_attempt_ms,
            last_success_ms=self._ledger.last_success_ms,
            memory=msgspec.Raw(self._remembered.encoded),
            validators=self._remembered.validators,
        )

    def restore(self, kept: KeptSource) -> None:
        """Go on where an earlier process stopped; a due time that is too far away is cut."""
        most_s = self._every_s * (1.0 + self._settings.jitter)
        wait_s = (kept.due_ms - self._timing.now_ms()) / _MS_PER_S
        self._due_s = self._now_s() + min(max(0.0, wait_s), most_s)
        self._ledger.last_attempt_ms = kept.last_attempt_ms
        self._ledger.last_success_ms = kept.last_success_ms
        self._remembered = Remembered(self._secrets, bytes(kept.memory), kept.validators)

    def state(self) -> SourceState:
        """Return how it is doing."""
        ledger, gate, now_s = self._ledger, self._wire.gate, self._now_s()
        open_s, pause_s = gate.circuit.wait_s(now_s), gate.pause_s()
        is_on = self.why_off is None
        return SourceState(
            spec=self.spec,
            is_on=is_on,
            why_off=self.why_off,
            last_success_ms=ledger.last_success_ms,
            last_attempt_ms=ledger.last_attempt_ms,
            next_due_ms=self._epoch_ms(max(self._due_s, now_s + open_s, now_s + pause_s))
            if is_on
            else None,
            problem=ledger.problem,
            failures=ledger.failures,
            facts=ledger.facts,
            payload_errors=ledger.payload_errors,
            sample=ledger.sample,
            refusals=ledger.refusals,
            circuit_open_until_ms=self._epoch_ms(now_s + open_s) if open_s else None,
            paused_until_ms=self._epoch_ms(now_s + pause_s) if pause_s else None,
            budget=gate.budget.uses(int(now_s * _MS_PER_S)),
        )

    # ---- time ----

    def _now_s(self) -> float:
        return self._timing.monotonic_s()

    def _epoch_ms(self, monotonic_s: float) -> int:
        return self._timing.now_ms() + round((monotonic_s - self._now_s()) * _MS_PER_S)

    def _jittered(self, seconds: float) -> float:
        return seconds * (1.0 + self._settings.jitter * (2.0 * self._timing.random() - 1.0))


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
