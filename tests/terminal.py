"""A real terminal for a program, and somebody who types at it, or presses Ctrl-C. POSIX only."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

END = "\x04"
"""Ctrl-D: the end of what is typed."""
DEAF = 15
"""Seconds of silence after which Ctrl-C was not heard: on a busy machine a program that heard it needs some to say so,
and a second one would cut it off."""


def on_a_terminal(
    *command: str,
    press: str = "",
    types: Sequence[str] | None = None,
    asked: str = r"\[y/N\]: $",
    seconds: float = 300,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a program whose standard error is a real terminal; Ctrl-C as soon as what ``press`` matches is seen.

    A signal that comes between the end of a question and the reading of its answer is noticed by Python when the
    read ends, which is never: at a question that stays it is pressed again, as a person does.

    :param types: standard input is the terminal, too: what is typed there, each time that ``asked`` is seen
    :returns: its exit code, and all that the terminal was sent
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    given = subprocess.DEVNULL if types is None else theirs
    process = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=theirs, env=env)
    os.close(theirs)
    seen, ends, waiting, heard, pressed = b"", time.monotonic() + seconds, list(types or ()), 0, False
    while (left := ends - time.monotonic()) > 0:
        again = pressed and types is not None
        if not select.select([ours], [], [], min(left, DEAF) if again else left)[0]:
            if again and left > DEAF:
                process.send_signal(signal.SIGINT)
                continue
            process.kill()  # it waits for something that nobody types
            break
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the terminal was closed
            break
        if not chunk:
            break
        seen += chunk
        pressed = False  # it heard
        if press and re.search(press.encode(), seen):
            process.send_signal(signal.SIGINT)
            press, pressed = "", True
        if waiting and re.search(asked.encode(), seen[heard:]):
            heard = len(seen)
            os.write(ours, waiting.pop(0).encode())
    os.close(ours)
    return process.wait(seconds), seen.decode()
