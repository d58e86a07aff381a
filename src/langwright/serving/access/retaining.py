"""While the server runs, what is older than it may be is deleted: at its start, and every hour."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langwright.serving.settings import ServingSettings
from langwright.serving.stores.complaints import StoreError
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.retention import Retention, forget_old

HOUR_S = 3600.0
log = logging.getLogger("langwright.serving")


@asynccontextmanager
async def retaining(stores: Stores, settings: ServingSettings) -> AsyncIterator[None]:
    """Forget in the background until the block ends."""
    keep = Retention(settings.audit_days, settings.conversation_days, settings.feedback_days)
    task = asyncio.create_task(forget_for_ever(stores, keep))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def forget_for_ever(stores: Stores, keep: Retention) -> None:
    """Forget, wait an hour, again. A store that cannot be reached is tried again."""
    while True:
        try:
            gone = await asyncio.to_thread(forget_old, stores, keep)
            if any(vars(gone).values()):
                log.info("deleted what was too old: %s", gone)
        except StoreError as error:
            log.error("what is too old could not be deleted: %s", error)
        await asyncio.sleep(HOUR_S)
