"""A Bot API on loopback: it answers over HTTP as Telegram does, well or badly, and shows its chats.

Messages are kept by bot and chat as Telegram shows them, with every edit; texts are refused for
what Telegram refuses them for. Faults are asked for by method; nothing that was sent is forgotten.

    with running_bot_api() as api:
        api.add_bot(TOKEN, chats=[42])
        ...  # let a bot of python-telegram-bot use api.base_url
        api.say(TOKEN, 42, "/help")
        api.fault("sendMessage", refuse(retry_after=1), count=2)  # bot_api_faults
        api.wait_for(lambda: api.chat(TOKEN, 42), "an answer")
        assert api.chat(TOKEN, 42)[0].text == "..."
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from aiohttp import web

from tests.support.bot_api_chats import (
    BotState,
    ChatRoom,
    Limit,
    Message,
    Methods,
    Params,
    Refusal,
    as_json,
)
from tests.support.bot_api_faults import Call, Fault, Planned

_HOST: Final = "127.0.0.1"
_SHORT_S: Final = 0.05
_WAIT_S: Final = 20.0
_CHATTY: Final = ("sendMessage", "sendPhoto", "editMessageText", "editMessageReplyMarkup")

Value = TypeVar("Value")


@dataclass
class BotApi:
    """The server; every method may be called in any thread but its own.

    `calls` are all that came, `early` those to a chat before a pause was over that it was asked
    for. `clock` stamps calls and messages, and counts limits and pauses.
    """

    clock: Callable[[], float] = time.monotonic
    calls: list[Call] = field(default_factory=list)
    early: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._bots: dict[str, BotState] = {}
        self._planned: deque[Planned] = deque()
        self._pauses: dict[tuple[str, str, str], float] = {}
        self._methods = Methods(self.clock)
        self._changed = threading.Condition(threading.RLock())
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="bot-api", daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self._port = 0
        self.up()

    # ---- where it is ----

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._port}"

    @property
    def base_url(self) -> str:
        """What python-telegram-bot wants as `base_url`."""
        return f"{self.url}/bot"

    def up(self) -> None:
        """Be reachable, at the same port as before."""
        if self._runner is None:
            self._run(self._open())

    def down(self) -> None:
        """Refuse connections and break those that are; chats and updates stay."""
        if self._runner is not None:
            self._run(self._shut())

    def close(self) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---- bots and chats ----

    def add_bot(self, token: str, chats: Iterable[int | str] = ()) -> None:
        """Know a bot, and chats that it may write to: people, groups (negative), @channels."""
        with self._changed:
            bot = self._bots.setdefault(token, BotState(token, len(self._bots) + 1_000))
            for chat in map(str, chats):
                bot.chats.setdefault(chat, ChatRoom(chat))

    def revoke(self, token: str) -> None:
        """Know a bot no more: 401; `add_bot` begins with empty chats."""
        with self._changed:
            del self._bots[token]

    def block(self, token: str, chat_id: int | str, *, is_blocked: bool = True) -> None:
        """Let a chat refuse its bot: 403."""
        with self._changed:
            self._room(token, chat_id).is_blocked = is_blocked

    def migrate(self, token: str, chat_id: int, new_chat_id: int) -> None:
        """Let a group become a supergroup with another number, which the bot knows."""
        with self._changed:
            self._room(token, chat_id).moved_to = new_chat_id

    def limit(self, count: int, seconds: float) -> None:
        """Let each chat take so many messages and edits in so many seconds; more are 429."""
        self._methods.limit = Limit(count, seconds)

    # ---- what people do ----

    def say(
        self,
        token: str,
        chat_id: int | str,
        text: str,
        user_id: int | None = None,
        thread_id: int | None = None,
    ) -> int:
        """Write to a bot; without a user the chat's own. Return the update's number."""
        with self._changed:
            room = self._room(token, chat_id)
            message: dict[str, Any] = {
                "message_id": room.take_id(),
                "date": int(time.time()),
                "chat": room.to_json(),
                "from": _user(user_id if user_id is not None else int(chat_id)),
                "text": text,
            }
            if text.startswith("/"):
                length = len(text.split(maxsplit=1)[0])
                message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
            if thread_id is not None:
                message |= {"message_thread_id": thread_id, "is_topic_message": True}
            return self._update(token, {"message": message})

    def press(
        self,
        token: str,
        chat_id: int | str,
        data: str,
        user_id: int | None = None,
        message_id: int | None = None,
    ) -> str:
        """Press the last shown button with this data; return the callback query's id."""
        with self._changed:
            room, bot = self._room(token, chat_id), self._bots[token]
            message = next(
                one
                for one in reversed(room.history)
                if message_id in (None, one.id)
                and any(button.get("callback_data") == data for button in one.buttons)
            )
            number = str(len(bot.callbacks) + 1)
            bot.callbacks[number] = None
            query = {
                "id": number,
                "from": _user(user_id if user_id is not None else int(chat_id)),
                "message": as_json(bot, room, message),
                "chat_instance": "1",
                "data": data,
            }
            self._update(token, {"callback_query": query})
            return number

    def delete(self, token: str, chat_id: int | str, message_id: int) -> None:
        """Delete a message by hand; `chat` shows it no more, `history` does."""
        with self._changed:
            room = self._room(token, chat_id)
            next(one for one in room.history if one.id == message_id).is_deleted = True

    # ---- what goes wrong ----

    def fault(
        self,
        method: str,
        fault: Fault,
        count: int = 1,
        token: str | None = None,
        chat_id: int | str | None = None,
    ) -> None:
        """Plan a fault for the next calls of a method ("*" is any), perhaps of one bot or chat."""
        with self._changed:
            chat = None if chat_id is None else str(chat_id)
            self._planned.append(Planned(method, fault, count, token, chat))

    def mend(self) -> None:
        """Forget the planned faults and limits."""
        with self._changed:
            self._planned.clear()
            self._methods.limit = None

    # ---- what is seen ----

    def chat(self, token: str, chat_id: int | str) -> list[Message]:
        """Return a chat's messages of the bot as shown now, in order."""
        return [message for message in self.history(token, chat_id) if not message.is_deleted]

    def texts(self, token: str, chat_id: int | str) -> list[str]:
        """Return the texts that a chat shows now, in order."""
        return [message.text for message in self.chat(token, chat_id)]

    def history(self, token: str, chat_id: int | str) -> list[Message]:
        """Return all messages that a bot ever brought to a chat, deleted ones too."""
        with self._changed:
            return list(self._room(token, chat_id).history)

    def calls_of(self, *methods: str, token: str | None = None) -> list[Call]:
        """Return the calls of some methods, in order."""
        with self._changed:
            return [
                call
                for call in self.calls
                if call.method in methods and token in (None, call.token)
            ]

    def answer_to(self, token: str, query_id: str) -> Params | None:
        """Return how a pressed button was answered, None before."""
        with self._changed:
            return self._bots[token].callbacks[query_id]

    def commands(self, token: str) -> list[dict[str, Any]]:
        """Return the commands that a bot has set."""
        with self._changed:
            return list(self._bots[token].commands)

    def is_taken(self, token: str) -> bool:
        """Whether the bot has fetched, and confirmed, all that was said."""
        with self._changed:
            return not self._bots[token].updates

    def is_polled(self, token: str) -> bool:
        """Whether the bot waits for what is said; what was said before that, it may drop."""
        with self._changed:
            return any(
                call.method == "getUpdates" and call.token == token and call.outcome == "waiting"
                for call in self.calls
            )

    def wait_for(
        self, wanted: Callable[[], Value | None], what: str, within_s: float = _WAIT_S
    ) -> Value:
        """Wait until something true is returned and return it; looked at after every call."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while True:
                if found := wanted():
                    return found
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {within_s:g} s: {what}")
                self._changed.wait(left)

    # ---- the server ----

    def _room(self, token: str, chat_id: int | str) -> ChatRoom:
        return self._bots[token].chats[str(chat_id)]

    def _update(self, token: str, content: dict[str, Any]) -> int:
        bot = self._bots[token]
        number, bot.next_update = bot.next_update, bot.next_update + 1
        bot.updates.append({"update_id": number, **content})
        self._loop.call_soon_threadsafe(self._tell)
        return number

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _run(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(_WAIT_S)

    async def _open(self) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        self._runner = web.AppRunner(
            app, shutdown_timeout=_SHORT_S, access_log=None, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _shut(self) -> None:
        assert self._runner is not None
        runner, self._runner = self._runner, None
        for connection in list(runner.server.connections if runner.server else ()):
            if connection.transport is not None:
                connection.transport.abort()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        token, method = request.match_info["token"], request.match_info["method"]
        params = await _params_of(request)
        call = Call(method, token, str(params.get("chat_id", "")), params, self.clock())
        with self._changed:
            self.calls.append(call)
            self._note_early(call)
            fault = self._next_fault(call)
        try:
            return await self._answer(call, fault, request)
        except asyncio.CancelledError:
            call.outcome = "hung up"
            raise
        finally:
            with self._changed:
                self._changed.notify_all()

    def _next_fault(self, call: Call) -> Fault | None:
        for planned in self._planned:
            if planned.fits(call):
                planned.count -= 1
                return planned.fault
        return None

    async def _answer(
        self, call: Call, fault: Fault | None, request: web.Request
    ) -> web.StreamResponse:
        kind = fault.kind if fault is not None else ""
        if kind in ("cut before", "silent before", "garbage"):
            call.outcome = kind
            return await self._fail(kind, request)
        if fault is not None and fault.seconds:
            await asyncio.sleep(fault.seconds)
        try:
            if fault is not None and fault.refusal is not None:
                raise fault.refusal
            result = await self._do(call)
        except Refusal as refusal:
            call.outcome = refusal.words
            self._note_pause(call, refusal)
            return web.json_response(refusal.body, status=refusal.code)
        call.outcome, call.is_done = kind or "ok", True
        if kind in ("cut after", "silent after"):
            return await self._fail(kind, request)
        return web.json_response({"ok": True, "result": result})

    async def _fail(self, kind: str, request: web.Request) -> web.StreamResponse:
        with self._changed:
            self._changed.notify_all()
        if kind == "garbage":
            return web.Response(body=b"<html>Bad gateway</html>", content_type="text/html")
        if kind.startswith("silent"):
            await asyncio.Event().wait()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _do(self, call: Call) -> Any:
        with self._changed:
            bot = self._bots.get(call.token)
            if bot is None:
                raise Refusal(401, "Unauthorized")
            if call.method != "getUpdates":
                return self._methods.call(bot, call.method, call.params)
        return await self._poll(bot, call.params)

    async def _poll(self, bot: BotState, params: Params) -> list[dict[str, Any]]:
        bot.polls += 1
        poll, end = bot.polls, time.monotonic() + float(params.get("timeout", 0))
        self._confirm(bot, int(params.get("offset", 0)))
        self._tell()  # an older poll of the same bot ends
        while not bot.updates and bot.polls == poll and time.monotonic() < end:
            with self._changed:
                self._changed.notify_all()
            news = self._news
            try:
                await asyncio.wait_for(news.wait(), max(0.0, end - time.monotonic()))
            except TimeoutError:
                break
        if bot.polls != poll:
            raise Refusal(
                409, "Conflict: terminated by other getUpdates request; make sure that only one "
                "bot instance is running",
            )  # fmt: skip
        return bot.updates[: int(params.get("limit", 100))]

    def _confirm(self, bot: BotState, offset: int) -> None:
        with self._changed:
            if offset < 0:
                bot.updates = bot.updates[offset:]
            else:
                bot.updates = [one for one in bot.updates if one["update_id"] >= offset]
            self._changed.notify_all()

    def _note_pause(self, call: Call, refusal: Refusal) -> None:
        if pause := refusal.parameters.get("retry_after"):
            with self._changed:
                place = (call.token, call.chat_id, call.method)
                self._pauses[place] = self.clock() + pause

    def _note_early(self, call: Call) -> None:
        if call.method not in _CHATTY:
            return
        pause = self._pauses.get((call.token, call.chat_id, call.method), call.at_s)
        if call.at_s < pause:
            self.early.append(call)


async def _params_of(request: web.Request) -> Params:
    params: Params = dict(request.query)
    if request.content_type == "application/json":
        return params | dict(await request.json())
    form = await request.post()
    files = {}
    for name, value in form.items():
        if isinstance(value, web.FileField):
            files[name] = value.file.read()
        else:
            params[name] = value
    for name, value in list(params.items()):
        if isinstance(value, str) and value.startswith("attach://"):
            params[name] = files.pop(value.removeprefix("attach://"))
    return params | files


def _user(number: int) -> dict[str, Any]:
    return {"id": number, "is_bot": False, "first_name": "Test", "username": f"user{number}"}


@contextmanager
def running_bot_api(clock: Callable[[], float] = time.monotonic) -> Iterator[BotApi]:
    """A Bot API on loopback while the block lasts."""
    api = BotApi(clock)
    try:
        yield api
    finally:
        api.close()
