"""Work beside the event loop, in threads that neither hold up the frame loop nor the end of the program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, TypeVar

from edge_fer.background import BackgroundThread

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

NICENESS = 10
"""On Linux each thread has its own priority: what is done for the page waits for the frame loop."""


def lower_priority() -> None:
    """Let all threads of usual priority go before this one, where the system can do that for a thread alone."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


async def in_thread(name: str, call: Callable[[], Result]) -> Result:
    """Run a call in a thread of its own and wait for it; the thread is a daemon, so nothing waits for it at the end.

    Raises:
        Exception: whatever the call raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        lower_priority()
        result, error = None, None
        try:
            result = call()
        except BaseException as caught:
            error = caught
        # The server may have ended meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    BackgroundThread(work, name).start()
    return await done
