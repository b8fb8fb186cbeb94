"""Whether a provider may be asked now: its circuit, the pause it asked for, its budget of calls."""

import asyncio
from typing import Final

from external_layers.binance.pacing import Backoff, Timing
from external_layers.sources.budget import AgedCalls, CallBudget
from external_layers.sources.memory_file import KeptProvider
from external_layers.sources.spec import Provider
from scalp_strategy.errors import ContractViolation, RateLimited
from scalp_strategy.setting_groups.sources import SourcesSettings

_MS_PER_S: Final = 1_000
_NO_CHANCE: Final = 0.5  # leaves a wait as it is


Trial = asyncio.Event  # set when the trial of an open circuit is over


class NoTurn(RateLimited):
    """A call was not made: the budget or a pause leaves no room within the fetch's time."""


class Circuit:
    """Open after so many failed fetches in a row: a dead provider is left alone (pure).

    When its time is over one fetch is let through as a trial: it closes the circuit or opens it for
    twice as long.

    Attributes
    ----------
    failures
        Failed fetches in a row.
    trips
        How often in a row it opened.
    open_until_s
        Monotonic seconds until which nobody is let through.
    """

    def __init__(self, failures: int, backoff: Backoff) -> None:
        self._limit = failures
        self._backoff = backoff
        self.failures = 0
        self.trips = 0
        self.open_until_s = -float("inf")

    def wait_s(self, now_s: float) -> float:
        """Return the seconds for which it stays open; 0 = it lets through."""
        return max(0.0, self.open_until_s - now_s)

    @property
    def is_on_trial(self) -> bool:
        """Whether it has opened and not closed again."""
        return self.trips > 0

    def worked(self) -> None:
        """Close."""
        self.failures = self.trips = 0

    def failed(self, now_s: float) -> None:
        """Count a failed fetch; one that had begun before it opened changes nothing."""
        if self.wait_s(now_s) > 0:
            return
        self.failures += 1
        if self.is_on_trial or self.failures >= self._limit:
            self.trips += 1
            self.open_until_s = now_s + self._backoff.wait_s(self.trips, _NO_CHANCE)


class Gate:
    """What all sources of a provider have to pass.

    Parameters
    ----------
    provider
        Whom it stands before.
    settings
        Limits of the circuit and of pauses.
    timing
        Clocks and waiting.

    Raises
    ------
    ContractViolation
        When the provider's rates do not fit together.
    """

    def __init__(self, provider: Provider, settings: SourcesSettings, timing: Timing) -> None:
        try:
            self.budget = CallBudget(provider.rates)
        except ValueError as error:
            raise ContractViolation(f"rates of {provider.name}: {error}") from error
        wait = Backoff(settings.circuit_first_s, settings.circuit_max_s, 0.0)
        self.circuit = Circuit(settings.circuit_failures, wait)
        self._paused_until_s: dict[str, float] = {}
        self._settings = settings
        self._timing = timing
        self._turn = asyncio.Lock()
        self._trial: Trial | None = None

    # ---- for a whole fetch ----

    async def enter(self) -> Trial | None:
        """Wait until a fetch may begin; `leave` must follow with what is returned.

        Of a provider whose circuit was open one fetch at a time begins, as its trial.
        """
        while True:
            wait_s = self.closed_s()
            if wait_s > 0:
                await self._timing.sleep(wait_s)
            elif not self.circuit.is_on_trial:
                return None
            elif self._trial is None:
                self._trial = Trial()
                return self._trial
            else:
                await self._trial.wait()

    def closed_s(self) -> float:
        """Return the seconds for which no fetch may begin."""
        return max(self.circuit.wait_s(self._timing.monotonic_s()), self.pause_s())

    def leave(self, trial: Trial | None, has_worked: bool | None) -> None:
        """Note how a fetch ended.

        Parameters
        ----------
        trial
            What `enter` returned.
        has_worked
            Whether the provider answered; None when the fetch does not tell.
        """
        if has_worked:
            self.circuit.worked()
        elif has_worked is False:
            self.circuit.failed(self._timing.monotonic_s())
        if trial is not None and trial is self._trial:
            trial.set()
            self._trial = None

    # ---- for a single call ----

    async def turn(self, deadline_s: float, host: str = "") -> None:
        """Wait for the turn of a call, in the order of asking, and count it.

        Parameters
        ----------
        deadline_s
            Monotonic seconds until which it may wait.
        host
            Whom the call is to, where a provider is made of several.

        Raises
        ------
        NoTurn
            When it would not come by then.
        """
        async with self._turn:
            while (wait_s := self._take(host)) > 0:
                if self._timing.monotonic_s() + wait_s > deadline_s:
                    raise NoTurn(self._why(wait_s, host))
                await self._timing.sleep(wait_s)

    def free_s(self) -> float:
        """Return the seconds until a call can be made."""
        return max(self.pause_s(), self.budget.wait_ms(self._now_ms()) / _MS_PER_S)

    # ---- pauses ----

    def pause(self, seconds: float, host: str = "") -> None:
        """Make no call for some seconds, cut to the longest pause; never shortens a pause.

        With a `host` only those to it; a provider of several hosts is paused as a whole by none.
        """
        until_s = self._timing.monotonic_s() + min(max(0.0, seconds), self._settings.max_pause_s)
        self._paused_until_s[host] = max(self._paused_until_s.get(host, until_s), until_s)

    def pause_s(self, host: str = "") -> float:
        """Return the seconds that are left of a pause."""
        now_s = self._timing.monotonic_s()
        ends = (self._paused_until_s.get(each, now_s) for each in ("", host))
        return max(0.0, max(ends) - now_s)

    # ---- over restarts ----

    def kept(self, now_ms: int, reserved: int) -> KeptProvider:
        """Return what has to be remembered, at an epoch; `reserved` calls count as made."""
        now_s, circuit = self._timing.monotonic_s(), self.circuit
        open_s = circuit.wait_s(now_s)
        calls = self.budget.aged(self._now_ms(), reserved)
        return KeptProvider(
            calls=[(now_ms - age_ms, count) for age_ms, count in calls],
            paused_until_ms={
                host: now_ms + round((until_s - now_s) * _MS_PER_S)
                for host, until_s in self._paused_until_s.items()
                if until_s > now_s
            },
            failures=circuit.failures,
            trips=circuit.trips,
            open_until_ms=now_ms + round(open_s * _MS_PER_S) if open_s else 0,
        )

    def restore(self, kept: KeptProvider, now_ms: int) -> None:
        """Go on where an earlier process stopped; waits that are too long are cut."""
        aged = [AgedCalls(now_ms - at_ms, count) for at_ms, count in kept.calls]
        self.budget.restore(aged, self._now_ms())
        for host, until_ms in kept.paused_until_ms.items():
            self.pause((until_ms - now_ms) / _MS_PER_S, host)
        self.circuit.failures, self.circuit.trips = max(0, kept.failures), max(0, kept.trips)
        left_s = min((kept.open_until_ms - now_ms) / _MS_PER_S, self._settings.circuit_max_s)
        self.circuit.open_until_s = self._timing.monotonic_s() + left_s

    def _take(self, host: str) -> float:
        pause_s = self.pause_s(host)
        return pause_s if pause_s > 0 else self.budget.take(self._now_ms()) / _MS_PER_S

    def _why(self, wait_s: float, host: str) -> str:
        if self.pause_s(host) > 0:
            return f"the provider asked for a pause; {wait_s:.0f} s are left"
        full = [use for use in self.budget.uses(self._now_ms()) if use.used >= use.limit]
        spent = ", ".join(f"{use.used} in {use.span_s:g} s" for use in full)
        return f"no call is left ({spent}); the next may be made in {wait_s:.0f} s"

    def _now_ms(self) -> int:
        return int(self._timing.monotonic_s() * _MS_PER_S)
