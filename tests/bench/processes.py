"""Processes that are measured: started, pinned to a core, looked at, ended."""

import ctypes
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import time

DEADLINE_S = 60
CPUCLOCK_SCHED = 2
PR_SET_CHILD_SUBREAPER = 36


def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


class BenchError(Exception):
    """Something did not happen that has to, in words for the reader."""


class Processes:
    """The processes that were started and have not been waited for."""

    def __init__(self):
        self.popens = []

    def start(self, argv, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(argv, **options)
        self.popens.append(process)
        return process

    def stop(self, process):
        """End it with SIGTERM, or SIGKILL if that does not help."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        if process in self.popens:
            self.popens.remove(process)

    def stop_all(self):
        """Also ends what a shell has left to us (see run_pinned), and what
        that leaves in its turn."""
        for process in list(self.popens):
            self.stop(process)
        pid = os.getpid()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        while found := children.read_text().split():
            os.kill(int(found[0]), signal.SIGKILL)
            os.waitpid(int(found[0]), 0)


PROCESSES = Processes()


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Poll until condition() is true; what names it if that never happens."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise BenchError(f"after {deadline_s} s still not: {what}")
        time.sleep(0.02)


def adopt_orphans():
    """What a shell leaves is ours to wait for (see run_pinned)."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise BenchError("prctl(PR_SET_CHILD_SUBREAPER) failed")


def run_pinned(argv, cores, out, err, deadline_s=DEADLINE_S):
    """Run argv on one core, or on some; returns (wall seconds, cpu seconds, peak MiB).

    The kernel carries the resident peak of the process that forks into the
    ru_maxrss of its child.  So that this is a shell's and not python's (1.3
    and 20 MiB), a shell forks, ends, and leaves the child to us.
    """
    script = 'out=$1 err=$2; shift 2; "$@" >"$out" 2>"$err" </dev/null & ' \
             "echo $!"
    start = time.monotonic()
    shell = subprocess.run(
        ["/bin/sh", "-c", script, "sh", out, err,
         "taskset", "-c", str(cores)] + argv,
        stdout=subprocess.PIPE, check=True,
        env=dict(os.environ, LC_ALL="C"))
    pid = int(shell.stdout)
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(deadline_s * 1000):
            raise BenchError(f"{argv[0]} runs for more than {deadline_s} s")
    finally:
        os.close(descriptor)
    wall = time.monotonic() - start
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        text = pathlib.Path(err).read_text(errors="replace").strip()
        raise BenchError(f"status {os.waitstatus_to_exitcode(status)}: "
                         f"{(text.splitlines() or ['nothing said'])[-1]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def cpu_seconds(pids):
    """CPU time of whole processes, with all their threads, in nanoseconds'
    resolution: the clock of clock_getcpuclockid(3)."""
    return sum(time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
               for pid in pids) / 1e9


def wakeups(pids):
    """How often any thread of pids has gone to sleep of its own will."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                text = (task / "status").read_text()
            except FileNotFoundError:  # the thread has just ended
                continue
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text,
                                   re.M)[1])
    return total


def resident_mib(pids):
    """(VmRSS, VmHWM), summed over pids."""
    sums = [0, 0]
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        for i, name in enumerate(("VmRSS", "VmHWM")):
            sums[i] += int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1])
    return sums[0] / 1024, sums[1] / 1024


def position(pid, path):
    """The offset of pid's descriptor on path, or None if it has none."""
    try:
        for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(link) == str(path):
                text = pathlib.Path(
                    f"/proc/{pid}/fdinfo/{link.name}").read_text()
                return int(re.search(r"^pos:\s+(\d+)", text, re.M)[1])
    except FileNotFoundError:
        pass
    return None
