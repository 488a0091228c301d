"""Runs calls in a child process, which is started anew when a call hangs or takes it down."""

import fcntl
import json
import os
import select
import subprocess
import sys
from dataclasses import asdict
from typing import NamedTuple

from tests.fuzz.calls import Call

# Seconds for one call on a busy machine, far beyond the interrupt that the call gets before.
PATIENCE = 600.0


class Outcome(NamedTuple):
    """A call, its verdict and the reason."""

    call: Call
    verdict: str
    detail: str


class Runner:
    """One child process and the pipes to it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def _start(self) -> None:
        read_calls, write_calls = os.pipe()
        read_answers, write_answers = os.pipe()
        # Far from the numbers of files that a value may happen to be.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 900) for end in (read_calls, write_answers)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child", *map(str, ends)],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (read_calls, write_answers, *ends):
            os.close(end)
        self._calls = os.fdopen(write_calls, "w", buffering=1)
        self._answers = read_answers
        self._left = b""

    def stop(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._calls.close()
            os.close(self._answers)
            self._process = None

    def __call__(self, call: Call) -> Outcome:
        """The outcome of one call."""
        first = self._process is None
        if first:
            self._start()
        self._calls.write(json.dumps(asdict(call)) + "\n")
        answer = self._line(PATIENCE + 60 * first)
        if answer is None:
            died = self._process is not None and self._process.poll() is not None
            code = self._process.returncode if died and self._process is not None else None
            self.stop()
            return Outcome(
                call, "crash" if died else "hang", f"exit status {code}" if died else "killed"
            )
        self._count += 1
        return Outcome(call, *json.loads(answer))

    def _line(self, seconds: float) -> bytes | None:
        while b"\n" not in self._left:
            ready, _, _ = select.select([self._answers], [], [], seconds)
            part = os.read(self._answers, 1 << 16) if ready else b""
            if not part:
                if self._process is not None and ready:
                    self._process.wait()
                return None
            self._left += part
        line, self._left = self._left.split(b"\n", 1)
        return line
