"""A writer of numbered lines that rotates its log in the meanest common way.

    torture.py FILE LINES_PER_SECOND SECONDS

Every second it renames the log, goes on writing to the old inode for a while
(with a line cut in two by the rename), opens a new one, and for half a second
more writes now to the one, now to the other.  Line n answers n bytes.  At the
end it prints as JSON what it wrote: requests and bytes by status, bytes of
all files, rotations, and how long it took.
"""

import collections
import json
import os
import sys
import threading
import time

STATUSES = [str(status) for status in range(200, 207)] + ["301", "404", "500", "503"]


def open_log(path):
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def write(fd, data):
    while data:
        data = data[os.write(fd, data):]


def main(path, rate, seconds):
    tick = threading.Event()
    requests, sizes = collections.Counter(), collections.Counter()
    number = grown = rotations = ticks = 0

    def lines(n):
        nonlocal number
        out = []
        for number in range(number + 1, number + n + 1):
            status = STATUSES[number % len(STATUSES)]
            requests[status] += 1
            sizes[status] += number
            out.append(
                f'192.0.2.1 - - [20/Nov/2026:15:40:00 +0000] "GET /{number} HTTP/1.1" '
                f'{status} {number} "-" "torture"\n'
            )
        return "".join(out).encode()

    def put(fd, data):
        nonlocal grown
        write(fd, data)
        grown += len(data)

    current, old, old_until = open_log(path), None, 0.0
    start = time.monotonic()
    next_rotation = 1.0
    total = int(rate * seconds)
    while number < total:
        now = time.monotonic() - start
        due = min(int(now * rate) + 1, total) - number
        if old is not None and now > old_until:
            os.close(old)
            old = None
        if now >= next_rotation:
            next_rotation += 1.0
            rotations += 1
            last = lines(1)
            put(current, last[:40])
            os.rename(path, f"{path}.{rotations}")
            put(current, last[40:])
            put(current, lines(20))
            if old is not None:
                os.close(old)
            old, old_until = current, now + 0.5
            current = open_log(path)
        if due > 0:
            ticks += 1
            put(old if old is not None and ticks % 4 == 0 else current, lines(due))
        tick.wait(0.005)
    elapsed = time.monotonic() - start
    json.dump(
        {
            "requests": requests,
            "bytes": sizes,
            "grown": grown,
            "rotations": rotations,
            "seconds": elapsed,
            "lines": number,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
