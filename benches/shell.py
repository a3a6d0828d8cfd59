#!/usr/bin/env python3
"""Measures how long the shell takes from its start to the first prompt, on a terminal, over a store of a million spans.

    cargo build --release && python3 benches/shell.py [--spans N] [--store DIR]

The store is made once, in the target directory. Ends with 1 if the median is above the limit of 150 ms.
"""

import argparse
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 0.150
PROMPT = b"> "


def started(binary: str, store: Path) -> tuple[float, float]:
    """Seconds to the first prompt, and to an answer of `SELECT count(*) FROM spans` behind it."""
    began = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", NO_COLOR="1", XDG_STATE_HOME=tempfile.mkdtemp())
        os.execv(binary, [binary, "--store", str(store)])
    seen = b""

    def wait(text: bytes) -> float:
        nonlocal seen
        while text not in seen:
            if not select.select([terminal], [], [], 30)[0]:
                sys.exit(f"no {text!r} after 30 s: {seen!r}")
            seen += os.read(terminal, 65536)
        return time.perf_counter() - began

    # The editor asks for marked pastes when it begins to read, and draws the prompt then.
    wait(b"\x1b[?2004h")
    first = wait(PROMPT)
    asked = time.perf_counter()
    os.write(terminal, b"SELECT count(*) AS n FROM spans;\r")
    wait(b"1 row in")
    answered = time.perf_counter() - asked
    os.write(terminal, b"\\q\r")
    os.waitpid(child, 0)
    os.close(terminal)
    return first, answered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    parser.add_argument("--bin", default=str(target / "release" / "spanql"))
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, help="a store that is there already")
    parser.add_argument("--runs", type=int, default=11)
    arguments = parser.parse_args()
    store = arguments.store or target / f"bench-shell-{arguments.spans}"
    if not store.exists():
        subprocess.run(
            [arguments.bin, "-q", "demo", "--spans", str(arguments.spans), "--keep", str(store)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    runs = [started(arguments.bin, store) for _ in range(arguments.runs)]
    for name, times in zip(("first prompt", "first answer"), zip(*runs)):
        print(f"{name}: median {statistics.median(times) * 1000:.0f} ms, worst {max(times) * 1000:.0f} ms of {len(times)}")
    if statistics.median(first for first, _ in runs) > LIMIT:
        sys.exit(f"above the limit of {LIMIT * 1000:.0f} ms")


if __name__ == "__main__":
    main()
