"""Process 1 of a container, which the kernel ends by no signal that it has no handler for.

The package loads this first, since the other imports take a second or two.
"""

import os
import signal
import threading


def end_on_signals() -> None:
    """Have SIGTERM and SIGHUP end this process at once, if it is process 1.

    Whatever handles them better takes their place: see server.py and drain.py.
    """
    if os.getpid() == 1 and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda signalled, _frame: os._exit(128 + signalled))
