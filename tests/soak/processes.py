"""Processes of the binary on one store, killed, ended and stopped at random, and what all threads share."""
import collections
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time

# Shares of processes that are killed, asked to end, or stopped for a while.
KILLED, ENDED, STOPPED = 0.3, 0.05, 0.15
# A process that takes longer hangs.
PATIENCE = 120


class Shared:
    """What all threads share."""

    def __init__(self, binary, directory, seconds):
        self.binary, self.directory, self.store = binary, directory, directory / "store"
        self.temporary = directory / "tmp"
        self.temporary.mkdir()
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.problems = []
        self.children = set()
        self.began = time.monotonic()
        self.half, self.until = self.began + seconds / 2, self.began + seconds
        self.log = open(directory / "log.jsonl", "w", encoding="utf-8")

    def running(self):
        return time.monotonic() < self.until and len(self.problems) < 10

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def note(self, **what):
        """What was done, for whoever looks for the cause of a failure."""
        with self.lock:
            self.log.write(json.dumps({"at": round(time.monotonic() - self.began, 3), **what}, default=str) + "\n")
            self.log.flush()

    def check(self, good, problem):
        with self.lock:
            if good:
                self.counts["checks"] += 1
                return
            self.problems.append(problem)
            print(f"WRONG: at {time.monotonic() - self.began:.3f}: {problem}", flush=True)

    def environment(self):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SPANQL_")}
        return {**environment, "TMPDIR": str(self.temporary), "RUST_BACKTRACE": "0"}


class Outcome:
    """How a process ended, and what was done to it."""

    def __init__(self, code, out, err, harmed):
        self.code, self.out, self.err, self.harmed = code, out, err, harmed


def run(shared, chance, *arguments):
    """Runs the binary on the store; `chance` decides what is done to it meanwhile, if it is not None."""
    command = [shared.binary, "-q", "--store", shared.store, *arguments]
    what = " ".join(map(str, arguments))[:200]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=shared.environment(), cwd=shared.directory
        )
        with shared.lock:
            shared.children.add(child)
        harmed = None if chance is None else harm(shared, chance, child)
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            shared.check(False, f"{what}: still runs after {PATIENCE} s")
            child.kill()
            child.wait()
            harmed = "killed"
        with shared.lock:
            shared.children.discard(child)
        out.seek(0)
        err.seek(0)
        said = err.read().decode("utf-8", "replace")
        if "panicked" in said or "damaged" in said:
            shared.check(False, f"{what}: {said.strip()}")
        return Outcome(child.returncode, out.read().decode("utf-8", "replace"), said, harmed)


def harm(shared, chance, child):
    """Does something to a process, or nothing; says what, if it may end by it."""
    fate, wait, pause = chance.random(), chance.random() ** 2 * 1.5, chance.choice([0.1, 0.5, 1, 3])
    if fate >= KILLED + ENDED + STOPPED:
        return None
    try:
        # Most of the work is done in the first second.
        child.wait(wait)
        return None
    except subprocess.TimeoutExpired:
        pass
    if fate >= KILLED + ENDED:
        child.send_signal(signal.SIGSTOP)
        time.sleep(pause)
        child.send_signal(signal.SIGCONT)
        shared.count("stopped")
        return None
    harmed = "killed" if fate < KILLED else "ended"
    child.kill() if harmed == "killed" else child.terminate()
    shared.count(harmed)
    return harmed


class Server:
    """`spanql serve` on the store, which is killed again and again."""

    def __init__(self, shared):
        self.shared, self.port, self.generation, self.ready = shared, free_port(), 0, threading.Event()
        self.process = None

    def start(self):
        command = [self.shared.binary, "-q", "--store", self.shared.store, "serve", "--http-port", str(self.port)]
        err = open(self.shared.directory / f"server-{self.generation}.err", "wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, env=self.shared.environment())
        with self.shared.lock:
            self.shared.children.add(self.process)
        if self.process.stdout.readline():
            self.ready.set()
        else:
            said = (self.shared.directory / f"server-{self.generation}.err").read_text(errors="replace")
            self.shared.check(False, f"the server did not start: {said.strip()}")

    def kill(self):
        self.ready.clear()
        self.process.kill()
        self.process.wait()
        with self.shared.lock:
            self.shared.children.discard(self.process)
        said = (self.shared.directory / f"server-{self.generation}.err").read_text(errors="replace")
        self.shared.check("panicked" not in said and "damaged" not in said, f"the server said: {said.strip()}")
        self.generation += 1

    def keep(self, chance):
        """Starts it again and again."""
        while self.shared.running():
            self.start()
            until = time.monotonic() + chance.choice([2, 5, 10, 20])
            while self.shared.running() and time.monotonic() < until:
                time.sleep(0.1)
            self.shared.count("servers")
            if self.shared.running():
                self.kill()

    def ask(self, method, path, body=None):
        """The status and the text of an answer; None where it was killed before it gave one."""
        if not self.ready.wait(30):
            return None
        generation = self.generation
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            # What it was asked ends with it, not with the connection.
            until = time.monotonic() + 60
            while self.generation == generation and time.monotonic() < until and self.shared.running():
                time.sleep(0.05)
            gone = self.generation != generation or not self.shared.running()
            self.shared.check(gone, f"{method} {path} failed at a server that lives: {error!r}")
            return None
        finally:
            connection.close()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
