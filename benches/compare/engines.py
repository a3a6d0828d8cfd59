"""Processes that are asked: spanql's shell, and the peers; what they took of memory, and how answers are compared."""
import json
import os
import pathlib
import re
import select
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
TOOK = re.compile(rb"rows? in [0-9.,]+ (?:ns|\xc2\xb5s|us|ms|s)\b")


def peak_mib(pid):
    """The highest resident memory of a process since `forget_peak`."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def forget_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


class Shell:
    """spanql's shell, as a program uses it: statements into a pipe. What `\\timing` says marks the end of an answer; its figure leaves
    out what comes before the run, such as planning, which the calls of the peers have in them."""

    def __init__(self, binary, store):
        self.process = subprocess.Popen([binary, "--store", store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.pending = {self.process.stdout: b"", self.process.stderr: b""}
        self.say("\\timing on\n\\mode jsonl\n")

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def ask(self, asked, seconds):
        """Gives milliseconds and rows; they are None when it took longer."""
        out = self.process.stdout
        self.pending[out] = b""
        began = time.perf_counter()
        self.say(f"\\o {asked['out']}\n{asked['sql']};\n\\o\n" if asked["out"] else f"{asked['sql']};\n")
        until = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select(list(self.pending), [], [], max(0, until - time.monotonic()))
            if not ready:
                return {"skipped": f"more than {seconds} s"}
            for pipe in ready:
                read = os.read(pipe.fileno(), 1 << 20)
                if not read:
                    return {"skipped": self.pending[self.process.stderr].decode(errors="replace").strip()[-200:]}
                self.pending[pipe] += read
            said = self.pending[self.process.stderr]
            took = TOOK.search(said)
            if took:
                milliseconds = (time.perf_counter() - began) * 1000
                self.pending[self.process.stderr] = said[took.end():]
                break
        while select.select([out], [], [], 0.02)[0]:
            self.pending[out] += os.read(out.fileno(), 1 << 20)
        rows = [list(json.loads(line).values()) for line in self.pending[out].splitlines() if line]
        return {"ms": milliseconds, "rows": None if asked["out"] else rows}

    def close(self):
        self.process.kill()
        self.process.wait()


class Peer:
    def __init__(self, python, engine, file, place):
        command = [python, HERE / "peers.py", engine, file, place]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        line = self.process.stdout.readline()
        self.opened = json.loads(line) if line else {"skipped": "it does not start"}

    def ask(self, asked, seconds):
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            self.close()
            return {"skipped": f"more than {seconds} s"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"skipped": "it died"}

    def close(self):
        self.process.kill()
        self.process.wait()


def timed(command):
    """Runs a command; gives its milliseconds, its peak in MiB and what it wrote, or why it failed."""
    began = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    written = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    milliseconds = (time.perf_counter() - began) * 1000
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return {"skipped": f"exit {process.returncode}"}
    return {"ms": milliseconds, "peak_mib": usage.ru_maxrss / 1024, "written": written}


TIME = re.compile(r"^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00:?00)?)?$")


def comparable(value):
    if isinstance(value, str):
        found = TIME.match(value)
        if found:
            # No engine but two gives nanoseconds to Python.
            return f"{found[1]}T{found[2] or '00:00:00'}.{(found[3] or '').ljust(6, '0')[:6]}"
        # chDB writes large integers as text.
        return float(value) if re.fullmatch(r"-?\d+", value) else value
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def equal(ours, theirs, in_any_order):
    """Whether two answers are the same: numbers to six digits (DataFusion rounds the place of a percentile), times to microseconds."""
    if ours is None or theirs is None:
        return True
    one, other = ([[comparable(value) for value in row] for row in rows] for rows in (ours, theirs))
    if in_any_order:
        one, other = sorted(one, key=repr), sorted(other, key=repr)
    if len(one) != len(other):
        return False
    return all(len(a) == len(b) and all(same(x, y) for x, y in zip(a, b)) for a, b in zip(one, other))


def same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-6 * max(abs(one), abs(other), 1e-9)
    return one == other
