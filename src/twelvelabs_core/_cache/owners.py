"""Who holds a claim: a process, told apart from every other, and from one of the same number that came before it."""

from __future__ import annotations

import os
import uuid
from functools import cache
from pathlib import Path


def new_owner() -> str:
    """A name no other owner has, in this process or another."""
    return f"{_machine()} {os.getpid()} {_read_stat(os.getpid())[1] or '-'} {uuid.uuid4().hex[:12]}"


def is_dead(owner: str) -> bool:
    """Whether the owner's process has certainly ended. False if that cannot be told from here, for example because it
    ran on another machine or in another container.
    """
    machine, pid, started, *_ = [*owner.split(" "), "", "", ""]
    if not _machine() or machine != _machine() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is another user's
        return False
    state, now = _read_stat(int(pid))
    return state in ("Z", "X") or bool(now and started != "-" and now != started)


@cache
def _machine() -> str:
    """This boot of this machine, and the namespace in which its process ids count; empty if unknown (not Linux)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _read_stat(pid: int) -> tuple[str, str]:
    """The state of a process (``Z`` = killed, but its parent has not noticed) and when it was started, in clock ticks
    since the boot; empty if unknown.
    """
    try:
        # The name of the program, in brackets, may contain anything.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""
