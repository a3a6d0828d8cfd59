"""What must be there: the spans of each writer as a list of states, of which every reader must find one.

A writer alone changes its spans, one write after the other. So a reader that began when state 7 was acknowledged and ended when
state 9 was tried must find 7, 8 or 9, and nothing between them.
"""
import json
import threading


class State:
    """Spans by trace and span id, those that are deleted as they were, and those that may be there."""

    def __init__(self, rows=None, deleted=None, maybe=None):
        self.rows, self.deleted, self.maybe = rows or {}, deleted or {}, maybe or {}

    def copy(self):
        return State(dict(self.rows), dict(self.deleted))

    def fits(self, found):
        extra = found.keys() - self.rows.keys()
        return self.rows.items() <= found.items() and all(self.maybe.get(key) == found[key] for key in extra)

    def take(self, spans):
        """Merges spans that arrive, but for those that are deleted: values that they have win."""
        for (trace, span), cells in spans.items():
            if (trace, span) not in self.deleted:
                self.set((trace, span), **cells)

    def set(self, key, **cells):
        self.rows[key] = tuple(sorted({**dict(self.rows.get(key, ())), **cells}.items()))

    def merge(self, key, document):
        held = json.loads(dict(self.rows[key]).get("metadata", "{}"))
        self.set(key, metadata=json.dumps({**held, **document}, sort_keys=True))

    def delete(self, keys):
        for key in keys:
            self.deleted[key] = self.rows.pop(key)


class History:
    """The states of one writer's spans."""

    def __init__(self):
        self.lock = threading.Lock()
        self.states, self.settled = [State()], 0

    def now(self):
        return self.states[self.settled]

    def attempt(self, state):
        with self.lock:
            self.states.append(state)

    def settle(self, state):
        """What is there now."""
        with self.lock:
            self.states.append(state)
            self.settled = len(self.states) - 1

    def since(self):
        with self.lock:
            return self.settled

    def wrong(self, first, found):
        """What is wrong with spans that a reader found who began when `first` was settled; None if nothing."""
        with self.lock:
            allowed = self.states[first:]
        if any(state.fits(found) for state in allowed):
            return None
        last = allowed[-1]
        return {
            "states": f"{first} to {first + len(allowed) - 1}",
            "lost": [key for key in last.rows if key not in found][:3],
            "too many": [key for key in found if key not in last.rows][:3],
            "other": [
                {"span": key, "found": short(found[key]), "expected": short(row)}
                for key, row in last.rows.items()
                if found.get(key, row) != row
            ][:3],
        }


def short(cells):
    """Cells without long texts."""
    return {name: f"…{value[-12:]}" if len(str(value)) > 60 else value for name, value in cells}


# What is asked of a span, and the name that the model has for it.
CELLS = {
    "name": "name",
    "input": "input",
    "annotation.Q.label": "label",
    "annotation.Q.score": "score",
    "annotation.Q.text": "text",
    "eval.E.label": "verdict",
    "eval.E.score": "points",
    "attributes.metadata": "metadata",
}
SELECT = (
    "SELECT s.project AS project, s.trace_id AS trace, s.span_id AS span, "
    + ", ".join(f's."{column}" AS {name}' for column, name in CELLS.items())
    + ", t.span_count AS of_trace FROM spans s LEFT JOIN traces t ON t.project = s.project AND t.trace_id = s.trace_id"
)


def rows_of(text):
    """Rows by project, trace and span; and what is wrong with them by themselves."""
    rows, wrong, of_trace = {}, [], {}
    for line in text.splitlines():
        row = json.loads(line)
        key = (row["project"], row["trace"], row["span"])
        if key in rows:
            wrong.append(f"{key} is there twice")
        cells = {name: row[name] for name in CELLS.values() if row.get(name) is not None}
        if "metadata" in cells:
            held = cells["metadata"]
            cells["metadata"] = json.dumps(json.loads(held) if isinstance(held, str) else held, sort_keys=True)
        rows[key] = tuple(sorted(cells.items()))
        of_trace.setdefault(key[:2], []).append(row.get("of_trace"))
    for trace, counts in of_trace.items():
        if set(counts) != {len(counts)}:
            wrong.append(f"trace {trace} has {len(counts)} spans, and its row says {set(counts)}")
    return rows, wrong
