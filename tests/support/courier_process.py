"""A process that tells some notices through the real journal, until all are brought.

Arguments: a folder for the journal, the server's address, the token, the chat, how many notices.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL
from telegram import Bot
from telegram.request import HTTPXRequest

from scalp_strategy.journal.keeper import Keeper
from scalp_strategy.journal.reader import JournalReader
from scalp_strategy.journal.spool import Spool
from scalp_strategy.journal.store import Journal
from scalp_strategy.notice import Notice
from scalp_strategy.setting_groups.telegram import TelegramSettings
from scalp_strategy.telegram.courier import Chat, Courier

NAME = "test"
_RULES = TelegramSettings(min_interval_s=0, retry_first_s=0.05, retry_longest_s=0.1)
_DATABASE_S = 5.0
_LIMIT_S = 60.0


def main(folder: Path, base_url: str, token: str, chat_id: str, count: int) -> None:
    journal = Journal(URL.create("sqlite", database=str(folder / "journal.sqlite")), _DATABASE_S)
    keeper = Keeper(journal, Spool(folder / "spool.jsonl"), NAME)
    keeper.drain()
    now = datetime.now(UTC)
    courier = Courier(_RULES, NAME, keeper.record)
    courier.restore(JournalReader(journal, NAME).messages(now - timedelta(days=1)))
    for number in range(count):
        # As the board does after a start: what the journal has is not said to be new.
        courier.post(Notice(f"key {number}", "health", f"<b>{number}</b>", f"{number}", now))
        courier.revise(f"key {number}", f"<b>{number}</b> edited")
    asyncio.run(_deliver(courier, base_url, token, chat_id))
    keeper.drain()


async def _deliver(courier: Courier, base_url: str, token: str, chat_id: str) -> None:
    bot = Bot(token, base_url=base_url, request=HTTPXRequest(), get_updates_request=HTTPXRequest())
    courier.connect(Chat(bot, chat_id))
    running = asyncio.create_task(courier.run())
    await asyncio.sleep(0)
    is_done = await courier.finish(_LIMIT_S)
    running.cancel()
    if not is_done:
        raise SystemExit("not all was brought")


if __name__ == "__main__":
    folder_, url_, token_, chat_, count_ = sys.argv[1:]
    main(Path(folder_), url_, token_, chat_, int(count_))
