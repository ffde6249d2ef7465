"""Worker processes that do not outlive the process that started them, nor leave children behind."""

from __future__ import annotations

import os
import signal
import threading
import time

__all__ = ["end_group", "exit_with"]


def exit_with(driver: int, poll_s: float = 0.5) -> None:
    """End this process and its children soon after its driver died, even in the middle of a trial.

    A driver that is killed cannot end its workers; left alone they would go on training, or writing to an archive that
    a resumed run writes to as well. The process leads a process group of its own from here on, where the system has
    such, so that whatever it starts ends with it.

    Args:
        driver: id of the process that started this one. It is compared with this process's parent: a driver that died
            before this call is found too, whoever adopted its children.
        poll_s: seconds between two looks.
    """
    if hasattr(os, "setpgid") and os.getpgrp() != os.getpid():
        os.setpgid(0, 0)

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(poll_s)
        end_group(os.getpid())
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="gennas-driver-watch").start()


def end_group(leader: int) -> None:
    """Kill every process of the group that ``leader`` leads, itself included; nothing where there is none."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(leader, signal.SIGKILL)
        except ProcessLookupError:  # all of them have ended
            return
