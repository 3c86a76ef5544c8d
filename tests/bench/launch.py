"""Runs a command and tells how long it took and how much memory it had at most.

A program of its own, because the kernel counts the memory of whoever calls exec into the peak of the new program: a
command that was started by a large process seems large. This one is smaller than any Python that does something.

    python -S -E launch.py REPORT COMMAND...

REPORT gets four numbers: seconds from fork to end, peak resident bytes, CPU seconds, exit status.
"""

import os
import sys
import time


def main() -> int:
    """Run the command and write the report."""
    report, command = sys.argv[1], sys.argv[2:]
    begin = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.execvp(command[0], command)  # noqa: S606 - the point of it
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - begin
    code = os.waitstatus_to_exitcode(status)
    with open(report, "w", encoding="ascii") as file:
        file.write(f"{seconds} {usage.ru_maxrss * 1024} {usage.ru_utime + usage.ru_stime} {code}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
