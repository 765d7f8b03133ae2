#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py TEXT COMMAND...: run COMMAND at a terminal and interrupt it when TEXT appears.

What it wrote, control characters included, goes to standard output; the exit status is its own.
"""
import os
import pty
import select
import signal
import sys
import time

SECONDS_MAX = 60


def main():
    text = sys.argv[1].encode()
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    seen, sent, end = b"", False, time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            break
        if text in seen and not sent:
            os.kill(child, signal.SIGINT)
            sent = True
    else:
        os.kill(child, signal.SIGKILL)
    sys.stdout.buffer.write(seen)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main())
