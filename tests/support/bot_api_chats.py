"""Bots, their chats and what these show: the state behind the local Bot API."""

import json
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.bot_api_markup import (
    CAPTION_LIMIT,
    TEXT_LIMIT,
    Parsed,
    UnparsableText,
    parse,
    units,
)

Params = dict[str, Any]
BUTTON_DATA_LIMIT: Final = 64  # bytes
_IMAGES: Final = (b"\x89PNG", b"\xff\xd8\xff")
_NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the "
    "same as a current content and reply markup of the message"
)


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, words: str, **parameters: Any) -> None:
        super().__init__(words)
        self.code, self.words, self.parameters = code, words, parameters

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "ok": False,
            "error_code": self.code,
            "description": self.words,
        }
        return body | ({"parameters": self.parameters} if self.parameters else {})


def bad_request(words: str) -> Refusal:
    return Refusal(400, f"Bad Request: {words}")


def too_many(retry_after: int) -> Refusal:
    return Refusal(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)


@dataclass(frozen=True)
class Version:
    """What a message showed from an instant on; `source` is as it was sent, with its markup."""

    parsed: Parsed
    source: str
    parse_mode: str
    keyboard: dict[str, Any] | None
    at_s: float


@dataclass
class Message:
    """A message of the bot's: `text` is what is seen now, `texts` what was seen over time."""

    id: int
    chat_id: str
    versions: list[Version]
    thread_id: int | None = None
    photo: bytes | None = None
    is_silent: bool = False
    is_deleted: bool = False

    @property
    def text(self) -> str:
        return self.versions[-1].parsed.text

    @property
    def texts(self) -> list[str]:
        return [version.parsed.text for version in self.versions]

    @property
    def source(self) -> str:
        return self.versions[-1].source

    @property
    def parse_mode(self) -> str:
        return self.versions[-1].parse_mode

    @property
    def keyboard(self) -> dict[str, Any] | None:
        return self.versions[-1].keyboard

    @property
    def sent_at_s(self) -> float:
        return self.versions[0].at_s

    @property
    def buttons(self) -> list[dict[str, Any]]:
        """The buttons under it, row by row."""
        rows = (self.keyboard or {}).get("inline_keyboard", [])
        return [button for row in rows for button in row]


@dataclass
class ChatRoom:
    """A chat with one bot; its history never forgets."""

    id: str
    history: list[Message] = field(default_factory=list)
    next_id: int = 1
    is_blocked: bool = False
    moved_to: int | None = None
    taken_at_s: deque[float] = field(default_factory=deque)

    def take_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def to_json(self) -> dict[str, Any]:
        if self.id.startswith("@"):
            return {"id": -1_000_000_000_001, "type": "channel", "title": self.id}
        number = int(self.id)
        if number > 0:
            return {"id": number, "type": "private", "first_name": "Test"}
        return {"id": number, "type": "supergroup", "title": "Test"}


@dataclass
class BotState:
    """One bot: its chats, what it was told, what it answered."""

    token: str
    id: int
    chats: dict[str, ChatRoom] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    next_update: int = 1
    polls: int = 0
    callbacks: dict[str, Params | None] = field(default_factory=dict)
    commands: list[dict[str, Any]] = field(default_factory=list)

    @property
    def user(self) -> dict[str, Any]:
        return {
            "id": self.id, "is_bot": True, "first_name": "Bot", "username": f"test_{self.id}_bot",
        }  # fmt: skip


@dataclass
class Limit:
    """How many messages a chat takes in so many seconds."""

    count: int
    seconds: float


class Methods:
    """The Bot API's methods on one bot's state; each returns its result or raises a `Refusal`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.limit: Limit | None = None

    def call(self, bot: BotState, method: str, params: Params) -> Any:
        do = getattr(self, f"_{method}", None)
        if do is None:
            raise Refusal(404, "Not Found: method not found")
        return do(bot, params)

    def _getMe(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        return bot.user | {"can_join_groups": True, "can_read_all_group_messages": False}

    def _deleteWebhook(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        if str(params.get("drop_pending_updates", "")).lower() == "true":
            bot.updates.clear()
        return True

    def _setMyCommands(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        bot.commands = json.loads(params.get("commands", "[]"))
        return True

    def _sendMessage(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        chat = self._room(bot, params)
        shown = _read(params, "text", TEXT_LIMIT, "message is too long")
        if not shown.text:
            raise bad_request("message text is empty")
        return self._add(bot, chat, params, self._version(params, shown, "text"))

    def _sendPhoto(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        chat, photo = self._room(bot, params), params.get("photo")
        if not isinstance(photo, bytes):
            raise bad_request("there is no photo in the request")
        if not photo.startswith(_IMAGES):
            raise bad_request("IMAGE_PROCESS_FAILED")
        shown = _read(params, "caption", CAPTION_LIMIT, "message caption is too long")
        return self._add(bot, chat, params, self._version(params, shown, "caption"), photo)

    def _editMessageText(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        chat = self._room(bot, params)
        message = _editable(chat, params)
        if message.photo is not None:
            raise bad_request("there is no text in the message to edit")
        shown = _read(params, "text", TEXT_LIMIT, "MESSAGE_TOO_LONG")
        if not shown.text:
            raise bad_request("message text is empty")
        return self._edit(bot, chat, message, self._version(params, shown, "text"))

    def _editMessageReplyMarkup(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        chat = self._room(bot, params)
        message = _editable(chat, params)
        now = message.versions[-1]
        keyboard = _markup(params)
        return self._edit(
            bot, chat, message,
            Version(now.parsed, now.source, now.parse_mode, keyboard, self.clock()),
        )  # fmt: skip

    def _deleteMessage(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        chat = self._room(bot, params)
        _message(chat, params, "message to delete not found").is_deleted = True
        return True

    def _answerCallbackQuery(self, bot: BotState, params: Params) -> Any:  # noqa: N802
        number = params.get("callback_query_id", "")
        if number not in bot.callbacks:
            raise bad_request(
                "query is too old and response timeout expired or query ID is invalid"
            )
        bot.callbacks[number] = params
        return True

    def _room(self, bot: BotState, params: Params) -> ChatRoom:
        chat = bot.chats.get(str(params.get("chat_id", "")))
        if chat is None:
            raise bad_request("chat not found")
        if chat.moved_to is not None:
            words = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, words, migrate_to_chat_id=chat.moved_to)
        if chat.is_blocked:
            is_group = chat.id.startswith(("-", "@"))
            words = "bot was kicked from the group chat" if is_group else "bot was blocked by user"
            raise Refusal(403, f"Forbidden: {words}")
        return chat

    def _version(self, params: Params, shown: Parsed, name: str) -> Version:
        mode = params.get("parse_mode", "")
        return Version(shown, params.get(name, ""), mode, _markup(params), self.clock())

    def _add(
        self,
        bot: BotState,
        chat: ChatRoom,
        params: Params,
        version: Version,
        photo: bytes | None = None,
    ) -> Any:
        self._check_limit(chat)
        thread = params.get("message_thread_id")
        is_silent = str(params.get("disable_notification", "")).lower() == "true"
        message = Message(
            chat.take_id(), chat.id, [version], int(thread) if thread else None, photo, is_silent
        )
        chat.history.append(message)
        return as_json(bot, chat, message)

    def _edit(self, bot: BotState, chat: ChatRoom, message: Message, version: Version) -> Any:
        now = message.versions[-1]
        if (now.parsed, now.keyboard) == (version.parsed, version.keyboard):
            raise bad_request(_NOT_MODIFIED)
        self._check_limit(chat)
        message.versions.append(version)
        return as_json(bot, chat, message)

    def _check_limit(self, chat: ChatRoom) -> None:
        if self.limit is None:
            return
        now = self.clock()
        while chat.taken_at_s and chat.taken_at_s[0] <= now - self.limit.seconds:
            chat.taken_at_s.popleft()
        if len(chat.taken_at_s) >= self.limit.count:
            raise too_many(math.ceil(chat.taken_at_s[0] + self.limit.seconds - now))
        chat.taken_at_s.append(now)


def as_json(bot: BotState, chat: ChatRoom, message: Message) -> dict[str, Any]:
    now = message.versions[-1]
    body: dict[str, Any] = {
        "message_id": message.id,
        "date": int(time.time()),
        "chat": chat.to_json(),
        "from": bot.user,
    }
    entities = [entity.to_json() for entity in now.parsed.entities]
    if message.photo is None:
        body |= {"text": now.parsed.text, "entities": entities}
    else:
        size = {"file_id": "1", "file_unique_id": "1", "width": 1, "height": 1}
        body |= {"caption": now.parsed.text, "caption_entities": entities, "photo": [size]}
    if now.keyboard and "inline_keyboard" in now.keyboard:
        body["reply_markup"] = now.keyboard
    return body


def _read(params: Params, name: str, limit: int, too_long: str) -> Parsed:
    text = params.get(name, "")
    try:
        text.encode()
        shown = parse(text, params.get("parse_mode"))
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
    except UnparsableText as error:
        raise bad_request(f"can't parse entities: {error}") from None
    if units(shown.text) > limit:
        raise bad_request(too_long)
    return shown


def _markup(params: Params) -> dict[str, Any] | None:
    given = params.get("reply_markup")
    if not given:
        return None
    keyboard: dict[str, Any] = json.loads(given) if isinstance(given, str) else given
    for button in (button for row in keyboard.get("inline_keyboard", []) for button in row):
        if not 1 <= len(button.get("callback_data", " ").encode()) <= BUTTON_DATA_LIMIT:
            raise bad_request("BUTTON_DATA_INVALID")
    return None if keyboard.get("inline_keyboard") == [] else keyboard


def _message(chat: ChatRoom, params: Params, missing: str) -> Message:
    number = str(params.get("message_id", ""))
    for message in chat.history:
        if str(message.id) == number and not message.is_deleted:
            return message
    raise bad_request(missing)


def _editable(chat: ChatRoom, params: Params) -> Message:
    message = _message(chat, params, "message to edit not found")
    # Bot API, "Updating messages": only those without reply_markup or with inline keyboards.
    if "inline_keyboard" not in (message.keyboard or {"inline_keyboard": []}):
        raise bad_request("message can't be edited")
    return message
