"""A real terminal for a program, and somebody who presses Ctrl-C at it. POSIX only."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time


def on_a_terminal(*command: str, press: str = "", seconds: float = 60) -> tuple[int, str]:
    """Run a program whose standard error is a real terminal; Ctrl-C as soon as what ``press`` matches is seen.

    :returns: its exit code, and all that the terminal was sent
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen, ends = b"", time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the terminal was closed
            break
        if not chunk:
            break
        seen += chunk
        if press and re.search(press.encode(), seen):
            process.send_signal(signal.SIGINT)
            press = ""
    os.close(ours)
    return process.wait(seconds), seen.decode()
