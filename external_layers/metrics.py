"""Prometheus metrics of the sidecar, read from its parts when they are asked for."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from external_layers.service import Sidecar
from external_layers.source_health import age_s

_MS_PER_S: Final = 1_000
_RESYNCS: Final = ("gap", "stuck", "crossed", "invalid")  # why a book had to be asked for anew


class SidecarCollector(Collector):
    """Prometheus metrics, read from the parts when they are asked for."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics."""
        yield from self._feed_metrics()
        yield from self._book_metrics()
        yield from self._rest_metrics()
        yield from self._score_metrics()
        yield from self._store_metrics()
        yield from self._source_metrics()
        yield from self._bot_metrics()

    def _feed_metrics(self) -> Iterator[Metric]:
        labels = ["market", "channel"]
        received = _counter("messages_received", "Messages that came.", labels)
        dropped = _counter("messages_dropped", "Messages not used.", [*labels, "reason"])
        gaps = _counter("gaps", "Jumps in trade ids while connected.", labels)
        lag = _gauge("lag_seconds", "Mean time from event to receipt.", labels)
        reconnects = _counter("reconnects", "Connections opened after a loss.", ["market"])
        overflow = _counter("queue_dropped", "Messages the reader was too slow for.", ["market"])
        silent = _gauge("silent_streams", "Streams silent for too long.", ["market"])
        for kind, feed in self._sidecar.feeds.items():
            state = feed.state()
            reconnects.add_metric([kind], sum(each.reconnects for each in state.connections))
            overflow.add_metric([kind], state.dropped)
            silent.add_metric([kind], sum(each.is_silent for each in state.streams.values()))
            for name, each in self._sidecar.watch.counters[kind].channels.items():
                received.add_metric([kind, name], each.received)
                gaps.add_metric([kind, name], each.gaps)
                for reason, count in each.dropped.items():
                    dropped.add_metric([kind, name, reason], count)
                if each.mean_lag_ms is not None:
                    lag.add_metric([kind, name], each.mean_lag_ms / _MS_PER_S)
        yield from (received, dropped, gaps, lag, reconnects, overflow, silent)

    def _book_metrics(self) -> Iterator[Metric]:
        watches = self._sidecar.watch.watches
        resyncs = _counter("book_resyncs", "Books that had to be asked for anew.", ["pair"])
        for pair, watch in watches.items():
            resyncs.add_metric([pair], sum(watch.keeper.counts[why] for why in _RESYNCS))
        yield resyncs
        synced = sum(watch.keeper.is_synced for watch in watches.values())
        yield _gauge("books_synced", "Books that follow the exchange.", value=synced)

    def _rest_metrics(self) -> Iterator[Metric]:
        requests = _counter("rest_requests", "REST requests.", ["market"])
        weight = _counter("rest_weight", "Request weight spent.", ["market"])
        errors = _counter("rest_errors", "Failed REST attempts.", ["market", "kind"])
        used = _gauge(
            "rest_weight_used", "Weight of this minute, as the exchange tells.", ["market"]
        )
        for kind, client in self._sidecar.rests.items():
            used.add_metric([kind], client.budget.total)
            requests.add_metric([kind], client.counters.requests)
            weight.add_metric([kind], client.counters.weight)
            for name, count in client.counters.errors.items():
                errors.add_metric([kind, name], count)
        yield from (requests, weight, used, errors)

    def _score_metrics(self) -> Iterator[Metric]:
        sidecar = self._sidecar
        now = sidecar.clock.now_ms()
        age = _gauge("component_age_seconds", "Age of a component's input.", ["pair", "component"])
        for pair in sidecar.watch.watches:
            for one in sidecar.timeline.as_of(pair, now):
                if one.is_known:
                    age.add_metric([pair, one.name], (now - one.observed_at_ms) / _MS_PER_S)
        yield age
        published = sidecar.publisher.published_ms
        if published:
            yield _gauge(
                "score_age_seconds", "Age of the last scores.", value=(now - published) / _MS_PER_S
            )
        yield _gauge("pairs_watched", "Pairs watched.", value=len(sidecar.watch.symbols))
        yield _gauge("pairs_active", "Pairs chosen.", value=len(sidecar.scanner.state.active))
        yield _gauge(
            "clock_skew_seconds",
            "Our clock minus the exchange's.",
            value=sidecar.clock.skew_ms() / _MS_PER_S,
        )

    def _store_metrics(self) -> Iterator[Metric]:
        state = self._sidecar.archive.state
        yield _counter("archive_rows_written", "Rows written.", value=state.written_rows)
        yield _counter(
            "archive_rows_dropped", "Rows lost to a full disk.", value=state.dropped_rows
        )
        yield _gauge("archive_rows_waiting", "Rows in memory.", value=state.waiting_rows)

    def _source_metrics(self) -> Iterator[Metric]:
        now = self._sidecar.clock.now_ms()
        up = _gauge("source_up", "Whether an outside source works: 1, 0.", ["source", "layer"])
        age = _gauge("source_age_seconds", "Time since it last answered.", ["source"])
        facts = _counter("source_facts", "Facts that it told.", ["source"])
        malformed = _counter("source_malformed", "Answers not understood.", ["source"])
        calls = _gauge("provider_calls", "Calls in the window.", ["provider", "window_s"])
        share = _gauge("provider_share", "The same of the budget.", ["provider", "window_s"])
        told: set[str] = set()
        for name, state in self._sidecar.outside.runner.states().items():
            if not state.is_on:
                continue
            up.add_metric([name, state.spec.layer], float(state.problem is None))
            facts.add_metric([name], state.facts)
            malformed.add_metric([name], state.payload_errors)
            if (seconds := age_s(state, now)) is not None:
                age.add_metric([name], seconds)
            provider = state.spec.provider.name
            for each in state.budget if provider not in told else ():
                labels = [provider, f"{each.span_s:g}"]
                calls.add_metric(labels, each.used)
                share.add_metric(labels, each.used / each.limit)
            told.add(provider)
        yield from (up, age, facts, malformed, calls, share)
        yield _counter(
            "transfers_unvalued",
            "Transfers left out since nobody could tell what they are worth.",
            value=self._sidecar.outside.layers.onchain.unvalued,
        )

    def _bot_metrics(self) -> Iterator[Metric]:
        bot = self._sidecar.bot
        yield _gauge("bot_silent", "Whether the bot fell silent: 1, 0.", value=float(bot.is_silent))
        if bot.heard_ms is not None:
            age_ms = max(0, self._sidecar.clock.now_ms() - bot.heard_ms)
            yield _gauge("bot_heard_age_seconds", "Since the bot asked.", value=age_ms / _MS_PER_S)


def metrics_registry(sidecar: Sidecar) -> CollectorRegistry:
    """Return the registry that `/metrics` shows."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SidecarCollector(sidecar))
    return registry


def _counter(
    name: str, text: str, labels: list[str] | None = None, value: float | None = None
) -> CounterMetricFamily:
    return CounterMetricFamily(f"scalp_{name}", text, value=value, labels=labels)


def _gauge(
    name: str, text: str, labels: list[str] | None = None, value: float | None = None
) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"scalp_{name}", text, value=value, labels=labels)
