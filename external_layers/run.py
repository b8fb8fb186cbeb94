"""The sidecar as a process: parts and HTTP server from start to a graceful end."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import uvicorn
from aiohttp import ClientSession, DummyCookieJar

from external_layers.api import make_app
from external_layers.health import Report
from external_layers.metrics import metrics_registry
from external_layers.run_config import RunConfig
from external_layers.service import Sidecar
from scalp_strategy.errors import ConfigError, StoreError
from scalp_strategy.files import replace_file

logger = logging.getLogger(__name__)

_BACKLOG: Final = 256
_KEEP_ALIVE_S: Final = 1_800  # the bot asks once a candle over one connection
_STOP_S: Final = 3


class _Server(uvicorn.Server):
    """A server whose process decides itself what a signal means."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


async def run_sidecar(
    config: RunConfig, ready_file: Path | None, say: Callable[[str], None]
) -> None:
    """Run until SIGTERM or SIGINT, then write what is not written yet and end.

    Parameters
    ----------
    config
        How it is to run.
    ready_file
        Gets the URL when the interface answers; None = no file.
    say
        Tells the user.

    Raises
    ------
    ConfigError
        When the address or the data folder cannot be used.
    StoreError
        When the disk refuses at the start.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    listener = _listener(config.settings.sidecar.host, config.settings.sidecar.port)
    with listener:
        async with ClientSession(trust_env=False, cookie_jar=DummyCookieJar()) as session:
            sidecar = Sidecar(config, session)
            try:
                await sidecar.start()
                await _serve(sidecar, listener, (ready_file, say), stopped)
            finally:
                say("stopping")
                await sidecar.stop()
    left = sidecar.archive.state
    if left.error is not None:
        raise StoreError(f"stopped, but {left.waiting_rows} rows are lost: {left.error}")
    say("stopped; everything is written")


async def _serve(
    sidecar: Sidecar,
    listener: socket.socket,
    tell: tuple[Path | None, Callable[[str], None]],
    stopped: asyncio.Event,
) -> None:
    app = make_app(Report(sidecar), metrics_registry(sidecar), sidecar.config.token)
    server = _Server(
        uvicorn.Config(
            app,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_S,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    ready_file, say = tell
    say(f"scalp-layers on {url}, {sidecar.config.kind}, data in {sidecar.config.data_dir}")
    if ready_file is not None:
        await asyncio.to_thread(replace_file, ready_file, url.encode() + b"\n")
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    server.should_exit = True
    await serving


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        text = f"sidecar.host, sidecar.port: cannot listen on {host}:{port}: {error.strerror}"
        raise ConfigError(text) from error
    return listener
