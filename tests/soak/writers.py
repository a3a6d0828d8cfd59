"""Writers: each changes spans of its own, one write after the other, and knows what must be there."""
import json
import time

from processes import run
from world import SELECT, History, State, rows_of

BASE = 1_767_225_600_000_000_000
# Spans that a writer keeps, at most: then it deletes more.
MANY = 250
# What a purge says when a writer, which may be dead, still needs a version.
NEEDED = "a running writer needs them; try again"
# What is said when a vacuum removes what a write read to find its spans: nothing was written.
REMOVED = "was removed from the store while it was read, by a vacuum: ask again"


class Writer:
    """One that runs commands."""

    def __init__(self, shared, chance, number):
        self.shared, self.chance, self.number, self.project = shared, chance, number, f"w{number}"
        self.history, self.counter = History(), 0
        self.file = shared.directory / f"{self.project}.jsonl"

    def write(self):
        # `spans log` refuses projects that the store does not hold.
        self.import_some()
        kinds = {
            self.import_some: 5, self.log: 2, self.annotate: 4, self.evaluate: 4, self.metadata: 3, self.unknown: 1,
            self.delete: 3, self.purge: 3, self.undelete: 2,
        }
        while self.shared.running():
            self.counter += 1
            self.chance.choices(list(kinds), list(kinds.values()))[0]()

    # ---- what is written --------------------------------------------------------------------
    def new_spans(self, new=True):
        """Spans of new traces and of old ones; unless all must be new, some that are there or were deleted."""
        state, spans = self.history.now(), {}
        for _ in range(self.chance.randint(1, 12)):
            trace = f"{self.number + 1:04x}{self.chance.randint(0, 30 + self.counter):028x}"
            for _ in range(self.chance.randint(1, 4)):
                cells = {"name": f"n{self.counter}", "input": "x" * self.chance.choice([1, 10, 2000]) + str(self.counter)}
                spans[trace, f"{self.chance.getrandbits(64):016x}"] = cells
        if not new:
            for key in self.some(state.rows, 4) + self.some(state.deleted, 4):
                spans[key] = {"name": f"again{self.counter}"}
        return spans

    def some(self, keys, most):
        keys = sorted(keys)
        return self.chance.sample(keys, self.chance.randint(0, min(most, len(keys))))

    def lines(self, rows):
        self.file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return self.file

    def as_file(self, spans):
        rows = []
        for (trace, span), cells in spans.items():
            start = BASE + int(span, 16) % 10**12
            row = {"context.trace_id": trace, "context.span_id": span, "name": cells["name"], "start_time": start}
            row |= {"end_time": start + 10**6, "project": self.project}
            rows.append(row | ({"attributes.input.value": cells["input"]} if "input" in cells else {}))
        return self.lines(rows)

    # ---- writes -----------------------------------------------------------------------------
    def command(self, *arguments):
        """Runs a command; True if it was acknowledged, None if it may or may not be done, else what it said."""
        done = run(self.shared, self.chance, "--project", self.project, *arguments)
        self.shared.note(writer=self.project, command=arguments, code=done.code, harmed=done.harmed, err=done.err[-300:])
        if done.code == 0:
            return True
        return None if done.harmed else done.err.strip() or done.out

    def attempt(self, what, state, write):
        """Does a write behind which this must be there; it is there or not, if the write was killed."""
        before = self.history.now()
        self.history.attempt(state)
        done = write()
        if done is True:
            self.shared.count(what)
            if not state.maybe:
                self.history.settle(state)
                return
        elif done is not None and REMOVED not in done:
            self.shared.check(False, f"{self.project}: {what} failed that nobody harmed: {done}")
        found = self.found()
        if found is None:
            return
        which = [one for one in ([state] if done is True else [before, state]) if one.fits(found)]
        first = len(self.history.states)
        self.shared.check(which, f"{self.project}: killed {what} left: {self.wrong(state, found)}, or before: {self.wrong(before, found)}")
        if not which:
            self.shared.until = 0
            return
        settled = which[0].copy()
        settled.rows = found
        for key in state.maybe if which[0] is state else ():
            settled.deleted.pop(key, None)
        assert first == len(self.history.states)
        self.history.settle(settled)

    def wrong(self, state, found):
        history = History()
        history.states = [state]
        return history.wrong(0, found)

    def found(self):
        """This writer's spans as they are: nobody else changes them."""
        while len(self.shared.problems) < 10:
            done = run(self.shared, None, "query", f"{SELECT} WHERE s.project = '{self.project}'", "-o", "jsonl")
            if done.code == 0:
                rows, wrong = rows_of(done.out)
                self.shared.check(not wrong, f"{self.project}: {wrong[:3]}")
                return {key[1:]: cells for key, cells in rows.items()}
            self.shared.check("ask again" in done.err, f"{self.project}: a reader failed that nobody harmed: {done.err.strip()}")
        return None

    def import_some(self):
        spans, state = self.new_spans(new=False), self.history.now().copy()
        state.take(spans)
        self.attempt("imports", state, lambda: self.command("import", self.as_file(spans)))

    def log(self):
        spans, state = self.new_spans(), self.history.now().copy()
        state.take(spans)
        self.attempt("logs", state, lambda: self.command("spans", "log", self.as_file(spans)))

    def judge(self, word, cells):
        """Annotates or evaluates some spans, each with a part of this."""
        state = self.history.now().copy()
        rows = []
        for key in self.some(state.rows, 15):
            said = {own: value for own, value in cells.items() if self.chance.random() < 0.7} or dict([*cells.items()][:1])
            state.set(key, **{model: value for (model, _), value in said.items()})
            rows.append({"span_id": key[1], "name": {"annotate": "Q", "evaluate": "E"}[word], **{own: value for (_, own), value in said.items()}})
        if rows:
            self.attempt("patches", state, lambda: self.command("spans", word, self.lines(rows)))

    def annotate(self):
        n = self.counter
        self.judge("annotate", {("label", "label"): f"l{n}", ("score", "score"): n / 2, ("text", "text"): f"t{n}"})

    def evaluate(self):
        self.judge("evaluate", {("verdict", "label"): f"v{self.counter}", ("points", "score"): self.counter / 4})

    def metadata(self):
        state, rows = self.history.now().copy(), []
        for key in self.some(state.rows, 8):
            names = self.chance.sample("abcdef", 2)
            document = {name: self.chance.choice([self.counter, f"m{self.counter}", None]) for name in names}
            state.merge(key, document)
            rows.append({"span_id": key[1], "patch_document": document})
        if rows:
            self.attempt("patches", state, lambda: self.command("spans", "metadata", self.lines(rows)))

    def unknown(self):
        """Nothing is written where one id is unknown, or was deleted."""
        state = self.history.now()
        known = self.some(state.rows, 5)
        strange = self.some(state.deleted, 1) or [("", f"{self.chance.getrandbits(64):016x}")]
        rows = [{"span_id": span, "name": "Q", "label": "never"} for _, span in known + strange]
        self.history.attempt(state)
        done = self.command("spans", "annotate", self.lines(rows))
        self.shared.check(done is not True, f"{self.project}: unknown ids were annotated: {strange}")
        found = self.found()
        self.shared.check(found is None or state.fits(found), f"{self.project}: unknown ids: {self.wrong(state, found or {})}")

    def deleted(self):
        state = self.history.now().copy()
        keys = self.some(state.rows, 12 if len(state.rows) < MANY else 150)
        state.delete(keys)
        return state, keys

    def delete(self):
        state, keys = self.deleted()
        if not keys:
            return
        ids = [span for _, span in keys]
        if self.chance.random() < 0.3:
            listed = ", ".join(f"'{span}'" for span in ids)
            ids = ["--query", f"SELECT span_id FROM spans WHERE span_id IN ({listed})"]
        self.attempt("deletions", state, lambda: self.command("spans", "delete", "--yes", *ids))

    def purge(self):
        if time.monotonic() < self.shared.half:
            return
        state, keys = self.deleted()
        if not keys:
            return

        def purge():
            done = self.command("spans", "delete", "--yes", "--purge", *[span for _, span in keys])
            return None if isinstance(done, str) and NEEDED in done else done

        self.attempt("purges", state, purge)

    def undelete(self):
        state = self.history.now().copy()
        keys = self.some(state.deleted, 20)
        if not keys:
            return
        state.maybe = {key: state.deleted[key] for key in keys}
        before = self.history.now()
        self.attempt("undeletions", state, lambda: self.command("spans", "undelete", *[span for _, span in keys]))
        now = self.history.now()
        if time.monotonic() < self.shared.half and now is not before and keys[0] not in now.deleted:
            lost = [key for key in keys if key not in now.rows]
            self.shared.check(not lost, f"{self.project}: no version was removed, and these are not there again: {lost[:3]}")


class Remote(Writer):
    """One that asks a server, and undeletes by commands, which the server cannot."""

    def __init__(self, shared, chance, number, server):
        super().__init__(shared, chance, number)
        self.server, self.id = server, None

    def write(self):
        kinds = {self.export: 5, self.annotate_there: 5, self.delete_there: 2, self.undelete: 1, self.evaluate: 2}
        while self.shared.running():
            self.counter += 1
            self.chance.choices(list(kinds), list(kinds.values()))[0]()

    def ask(self, method, path, body, good):
        answer = self.server.ask(method, path, json.dumps(body))
        self.shared.note(writer=self.project, method=method, path=path, answer=answer and (answer[0], answer[1][:200]))
        if answer is None:
            return None
        return True if answer[0] == good else f"{answer[0]}: {answer[1]}"

    def project_id(self):
        if self.id is None:
            answer = self.server.ask("GET", "/v2/projects")
            projects = json.loads(answer[1])["projects"] if answer and answer[0] == 200 else []
            self.id = next((project["id"] for project in projects if project["name"] == self.project), None)
        return self.id

    def export(self):
        spans, state = self.new_spans(), self.history.now().copy()
        state.take(spans)
        made = []
        for (trace, span), cells in spans.items():
            start = BASE + int(span, 16) % 10**12
            attribute = {"key": "input.value", "value": {"stringValue": cells["input"]}}
            made.append({
                "traceId": trace, "spanId": span, "name": cells["name"], "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(start + 10**6), "attributes": [attribute],
            })
        resource = {"attributes": [{"key": "openinference.project.name", "value": {"stringValue": self.project}}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": made}]}]}
        self.attempt("exports", state, lambda: self.ask("POST", "/v1/traces", body, 200))

    def annotate_there(self):
        state, records = self.history.now().copy(), []
        if not state.rows or self.project_id() is None:
            return
        for key in self.some(state.rows, 10):
            state.set(key, label=f"r{self.counter}", score=self.counter / 2)
            value = {"name": "Q", "label": f"r{self.counter}", "score": self.counter / 2}
            records.append({"record_id": key[1], "values": [value]})
        if records:
            body = {"project_id": self.id, "annotations": records}
            self.attempt("patches", state, lambda: self.ask("POST", "/v2/spans/annotate", body, 202))

    def delete_there(self):
        state, keys = self.deleted()
        if keys and self.project_id() is not None:
            body = {"project_id": self.id, "span_ids": [span for _, span in keys]}
            self.attempt("deletions", state, lambda: self.ask("DELETE", "/v2/spans", body, 200))
