"""What the doctor finds, in a running sidecar and without one."""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from external_layers.binance.addresses import addresses
from external_layers.doctor import Finding, findings_of, running_health, trial
from external_layers.run_config import RunConfig
from external_layers.service import Sidecar
from scalp_strategy.errors import SourceRejected
from scalp_strategy.settings import Settings, with_overrides
from tests.support.market import running_market
from tests.unit.external_layers.sidecar_parts import app_of, idle_sidecar, run_settings, served

TOKEN = "0123456789abcdef"  # noqa: S105 - of the test


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    with idle_sidecar(tmp_path / "data") as (sidecar, _):
        yield sidecar


def at(url: str, folder: Path, token: str | None = None) -> RunConfig:
    host, port = url.removeprefix("http://").rsplit(":", 1)
    changes = {"sidecar.host": host, "sidecar.port": int(port)}
    config = run_settings(folder, token=token)
    return dataclasses.replace(config, settings=with_overrides(Settings(), changes))


def test_a_running_sidecar_tells_its_health(sidecar: Sidecar, tmp_path: Path) -> None:
    with served(app_of(sidecar, TOKEN)) as url:
        health = running_health(at(url, tmp_path, TOKEN))
        assert health is not None
        found = {each.name: each for each in findings_of(health)}
        assert not found["sidecar"].is_well
        assert "starting" in found["sidecar"].text
        assert found["archive"].is_well
        for token in (None, TOKEN + "x"):
            with pytest.raises(SourceRejected, match="SCALP_LAYERS_TOKEN"):
                running_health(at(url, tmp_path, token))


def test_nobody_and_a_stranger_at_the_port_are_no_sidecar(tmp_path: Path) -> None:
    async def stranger(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"status'})

    assert running_health(at("http://127.0.0.1:9", tmp_path)) is None
    with served(stranger) as url:
        assert running_health(at(url, tmp_path)) is None


def tried(config: RunConfig) -> dict[str, Finding]:
    return {each.name: each for each in asyncio.run(trial(config))}


def test_a_trial_against_a_market_that_works(tmp_path: Path) -> None:
    with running_market("--symbols", "BTC") as url:
        config = run_settings(tmp_path / "new", "spot")
        config = dataclasses.replace(
            config,
            exchange=addresses("spot", url),
            derivatives=addresses("futures", url),
            sources_url=f"{url}/outside",
        )
        found = tried(config)
    assert [name for name, each in found.items() if not each.is_well] == []
    assert {"spot REST", "futures REST", "spot stream all", "futures stream market"} <= set(found)
    assert not (tmp_path / "new").exists()


def test_a_trial_names_everything_that_does_not_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    config = dataclasses.replace(
        run_settings(tmp_path / "file" / "inner"),
        redis_url="redis://:secret@127.0.0.1:9/0",
    )
    found = tried(config)
    bad = {name for name, each in found.items() if not each.is_well}
    assert {"futures REST", "futures stream public", "futures stream market", "redis"} <= bad
    assert "archive" in bad
    assert not any("secret" in each.text for each in found.values())
