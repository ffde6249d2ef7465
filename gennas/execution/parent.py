"""Worker processes that do not outlive the process that started them."""

from __future__ import annotations

import os
import threading
import time


def exit_with_parent(poll_s: float = 0.5) -> None:
    """End this process soon after its parent died, even in the middle of a trial.

    A driver that is killed cannot end its workers; left alone they would go on training, or writing
    to an archive that a resumed run writes to as well.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(poll_s)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="gennas-parent-watch").start()
