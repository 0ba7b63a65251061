"""One test at a time on a port: a lock between processes, so that workers and runs that share a rig take turns.

The port's own lock (``flock`` and TIOCEXCL on the device) refuses a second user; this one lets him wait.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from modemrig.errors import PortBusy

if sys.platform != "win32":
    import fcntl

WAIT_S = 600.0
"""Longer than any test of the suite takes, so that a run waits for another instead of failing."""
ASK_AGAIN_S = 0.02


@contextlib.contextmanager
def exclusive(port: str, purpose: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the port for the block; first wait until nobody else does.

    Raises:
        PortBusy: somebody else held it all the time; says who.
    """
    if sys.platform == "win32":  # the system itself opens a port only once
        yield
        return
    file = os.open(_lock_file(port), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + wait_s
        while not _locked(file):
            if time.monotonic() > deadline:
                holder = os.pread(file, 500, 0).decode(errors="replace").strip() or "another process"
                raise PortBusy(f"{port} is in use by {holder}; waited {wait_s:g} s for it")
            time.sleep(ASK_AGAIN_S)  # flock cannot wait for a limited time
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} of {getpass.getuser()}: {purpose}\n".encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(file, 0)
    finally:
        os.close(file)  # which ends the lock, as the end of the process does


def _locked(file: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(port: str) -> Path:
    """The file that stands for a port, whatever name it was given by; made where there is none yet."""
    device = os.path.realpath(port) if port.startswith("/") else port
    folder = Path(tempfile.gettempdir()) / "modemrig-ports"
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)  # every user of the machine may use a port that its group may open
    path = folder / f"{hashlib.sha256(device.encode()).hexdigest()[:16]}.lock"
    # Never O_CREAT on a file that is there: the system refuses it to others than its owner in such a folder.
    with contextlib.suppress(FileExistsError):
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW, 0o666)
        os.fchmod(file, 0o666)
        os.close(file)
    return path
