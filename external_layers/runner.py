"""Runs all outside sources: each in a task of its own, so that none waits for another.

What each failure leads to is listed in `source_run`; what is shared by the sources of a provider
(budget of calls, pause, circuit) is in `sources.gate`.

Budgets hold over restarts. Before a fetch calls anybody, the calls that it is declared to make are
on the disk as made; what it really made follows within `save_s`. So a process that is killed
forgets no more than the calls that a fetch made beyond its declared number in the last `save_s`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientSession

from external_layers.binance.pacing import Timing
from external_layers.source_run import Market, SourceRun, Surroundings
from external_layers.sources.client import HttpClient, Wire
from external_layers.sources.facts import Fact
from external_layers.sources.gate import Gate
from external_layers.sources.memory_file import Kept, MemoryFile, load
from external_layers.sources.scrub import Secrets
from external_layers.sources.spec import Provider, Source, SourceSpec
from external_layers.sources.state import SourceState
from scalp_strategy.errors import ConfigError, ContractViolation
from scalp_strategy.setting_groups.sources import SourcesSettings
from scalp_strategy.settings import Settings

__all__ = ["Runner", "SourceState", "one_client"]

logger = logging.getLogger(__name__)

_STOP_S: Final = 1.0


class Runner:
    """All outside sources.

    Parameters
    ----------
    sources
        The sources, each of another name.
    session
        The one client session; it is neither made nor closed here.
    settings
        The effective settings.
    timing
        Clocks, waiting and chance.
    state_path
        The file that remembers schedule, budgets and what the sources ask to be remembered.
    environment
        Holds the keys.
    base_url
        Where all providers are looked for instead, as ``base_url/<provider>/<path>``; None = at
        their own addresses. `sources.urls` goes before it.
    market
        Base assets of the watched pairs and the US dollars of a token, asked for at each fetch.
    deliver
        Gets the facts of a source, as soon as they are known.
    on_change
        Told (source, problem or None) once when it begins to fail and once when it works again.

    Raises
    ------
    ConfigError
        When a setting names a source or a provider that there is not, or no web address.
    ContractViolation
        When two sources have one name, or two providers.
    """

    def __init__(  # noqa: PLR0913 - what the service hands in
        self,
        sources: Sequence[Source],
        session: ClientSession,
        settings: Settings,
        timing: Timing,
        state_path: Path,
        *,
        environment: Mapping[str, str],
        base_url: str | None,
        market: Market,
        deliver: Callable[[SourceSpec, Sequence[Fact]], None],
        on_change: Callable[[str, str | None], None],
    ) -> None:
        specs = [source.spec for source in sources]
        providers = _providers(specs)
        _check(settings.sources, [spec.name for spec in specs], list(providers))
        self._timing = timing
        self._save_s = settings.sources.save_s
        self._on_change = on_change
        self._tasks: list[asyncio.Task[None]] = []
        self._file = MemoryFile(state_path, self._kept, self._tell)
        around = Surroundings(
            settings, market, deliver, self._tell, self._file.save, self._file.changed
        )
        self._gates = {
            name: Gate(provider, settings.sources, timing) for name, provider in providers.items()
        }
        self._runs: dict[str, SourceRun] = {}
        for source in sources:
            spec = source.spec
            gate = self._gates[spec.provider.name]
            wire = _wire(gate, spec.provider, (session, settings, timing), base_url)
            keys = _keys(spec, environment)
            why_off = _why_off(spec, settings.sources, keys)
            self._runs[spec.name] = SourceRun(source, wire, around, keys, why_off)
        self._restore(load(state_path))

    async def start(self) -> None:
        """Begin to ask: what is due at once, the rest when it is."""
        for name, run in self._runs.items():
            self._tasks.append(asyncio.create_task(run.run(), name=name))
        self._tasks.append(asyncio.create_task(self._keep_saved(), name="state of the sources"))

    async def stop(self) -> None:
        """End all fetches where they stand and write down what is known."""
        running = set(self._tasks)
        while running:
            for task in running:
                task.cancel()
            # Again, should a source have taken it for something else.
            _, running = await asyncio.wait(running, timeout=_STOP_S)
        self._tasks.clear()
        await self._file.save()

    async def once(self, name: str) -> SourceState:
        """Ask a source now, within its provider's budget, pause and circuit; return how it went.

        Schedule and memory stay as they are, the calls count. A source that is off, or is being
        asked already, is not asked.
        """
        await self._runs[name].try_out()
        return self._runs[name].state()

    def states(self) -> dict[str, SourceState]:
        """Return how each source is doing."""
        return {name: run.state() for name, run in self._runs.items()}

    @property
    def problem(self) -> str | None:
        """Why the state cannot be kept; None while it can."""
        return self._file.problem

    async def _keep_saved(self) -> None:
        while True:
            await self._file.until_changed()
            await self._timing.sleep(self._save_s)
            await self._file.save()

    def _tell(self, name: str, problem: str | None) -> None:
        try:
            self._on_change(name, problem)
        except Exception:
            logger.exception("a change of %s could not be told", name)

    # ---- over restarts ----

    def _kept(self) -> Kept:
        now_ms = self._timing.now_ms()
        reserved = dict.fromkeys(self._gates, 0)
        for run in self._runs.values():
            reserved[run.spec.provider.name] += run.reserved
        return Kept(
            sources={name: run.kept() for name, run in self._runs.items()},
            providers={
                name: gate.kept(now_ms, reserved[name]) for name, gate in self._gates.items()
            },
        )

    def _restore(self, kept: Kept) -> None:
        now_ms = self._timing.now_ms()
        for name, gate in self._gates.items():
            if name in kept.providers:
                gate.restore(kept.providers[name], now_ms)
        for name, run in self._runs.items():
            if name in kept.sources:
                run.restore(kept.sources[name])


def one_client(
    spec: SourceSpec,
    session: ClientSession,
    settings: Settings,
    timing: Timing,
    keys: Mapping[str, str],
    base_url: str | None,
) -> HttpClient:
    """Return a client of a source for a single use, such as asking for its whole past.

    It keeps within the provider's rates, counted from now on; each call has the time of a fetch.
    Parameters as of `Runner`; `keys` are the source's own.
    """
    gate = Gate(spec.provider, settings.sources, timing)
    wire = _wire(gate, spec.provider, (session, settings, timing), base_url)
    return HttpClient(spec, wire, Secrets(keys.values()), float("inf"), {}, spec.timeout_s)


def _wire(
    gate: Gate,
    provider: Provider,
    shared: tuple[ClientSession, Settings, Timing],
    base_url: str | None,
) -> Wire:
    session, settings, timing = shared
    address = _address(provider, settings.sources, base_url)
    is_moved = address != provider.url
    return Wire(session, settings.sources, timing, gate, address, is_moved)


def _providers(specs: Iterable[SourceSpec]) -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    names: set[str] = set()
    for spec in specs:
        if spec.name in names:
            raise ContractViolation(f"two sources are named {spec.name}")
        names.add(spec.name)
        if found.setdefault(spec.provider.name, spec.provider) != spec.provider:
            raise ContractViolation(f"two providers are named {spec.provider.name}")
    return found


def _check(settings: SourcesSettings, sources: Sequence[str], providers: Sequence[str]) -> None:
    _check_names("sources.disabled", settings.disabled, sources)
    _check_names("sources.every_s", settings.every_s, sources)
    _check_names("sources.urls", settings.urls, providers)
    for name, url in settings.urls.items():
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.netloc:
            raise ConfigError(f"sources.urls.{name}: {url!r} is no http, https, ws or wss address")


def _check_names(setting: str, given: Iterable[str], allowed: Sequence[str]) -> None:
    for name in given:
        if name not in allowed:
            raise ConfigError(f"{setting}: unknown {name!r}; allowed: {', '.join(sorted(allowed))}")


def _address(provider: Provider, settings: SourcesSettings, base_url: str | None) -> str:
    if provider.name in settings.urls:
        return settings.urls[provider.name]
    return f"{base_url.rstrip('/')}/{provider.name}" if base_url else provider.url


def _keys(spec: SourceSpec, environment: Mapping[str, str]) -> dict[str, str]:
    given = {name: environment.get(name, "").strip() for name in spec.keys}
    return {name: value for name, value in given.items() if value}


def _why_off(spec: SourceSpec, settings: SourcesSettings, keys: Mapping[str, str]) -> str | None:
    if not settings.is_enabled:
        return "off: sources.is_enabled is false"
    if spec.name in settings.disabled:
        return "off: named in sources.disabled"
    missing = [name for name in spec.keys if name not in keys]
    if spec.needs_key and missing:
        return f"off: set {' and '.join(missing)} in the environment"
    return None
