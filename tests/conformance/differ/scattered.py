"""The same spans as in the plain store, come in another way: late, in small commits, twice, among others that were deleted,
with evaluations and metadata written afterwards. Statements must be answered as over one import."""

import json
import random
import subprocess
from pathlib import Path

from .engines import Spanql, both, our_text, same
from .expressions import FLOAT, INT, TEXT, Writer
from .tables import SPANS, TIME, Statement

COMMITS = 16
# Columns of patches.
PATCHED = {
    '"eval.Correctness.label"': TEXT,
    '"eval.Correctness.score"': FLOAT,
    '"eval.Hallucination.label"': TEXT,
    '"eval.Answer Relevance.score"': FLOAT,
    '"attributes.metadata.tier"': TEXT,
    '"attributes.metadata.tenant"': TEXT,
    '"attributes.metadata.seats"': INT,
    '"annotation.Quality.label"': TEXT,
}


class Scattered:
    """The engine over such a store, and the table of DuckDB over its export."""

    def __init__(self, binary, plain, seed, duck):
        self.binary, self.rng = binary, random.Random(f"{seed}/scattered")
        self.ours = Spanql(binary, f"{plain}-scattered")
        self.place, self.store = Path(self.ours.place.name), f"{plain}-scattered"
        self.fill(self.run("query", "SELECT * FROM spans", "-o", "jsonl", store=plain))
        path = self.place / "scattered.parquet"
        self.run("query", "SELECT * FROM spans", "-o", path)
        duck.connection.execute(f"CREATE TABLE scattered AS SELECT * FROM read_parquet('{path}')")

    def run(self, *arguments, store=None):
        command = [self.binary, "-q", "--store", store or self.store, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))[:500]}: {done.stderr}")
        return done.stdout

    def file(self, rows):
        path = self.place / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def fill(self, export):
        rows = [json.loads(line) for line in export.splitlines()]
        rows = [{name: cell for name, cell in row.items() if cell is not None and not name.startswith("tree.")} for row in rows]
        pick = self.rng.random
        # What is written afterwards.
        evaluations, tiers = [], []
        for at, row in enumerate(rows):
            said = {name: cell for name, cell in row.items() if name.startswith("eval.")}
            if said and pick() < 0.5:
                evaluations.append({"project": row["project"], "span_id": row["context.span_id"], **said})
                rows[at] = {name: cell for name, cell in row.items() if name not in said}
            elif "attributes.metadata" in row and pick() < 0.3:
                metadata = row["attributes.metadata"]
                metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
                tiers.append({"project": row["project"], "span_id": row["context.span_id"], "tier": metadata["tier"]})
        first = [row for row in rows if pick() < 0.6]
        keys = {row["context.span_id"] for row in first}
        late = [row for row in rows if row["context.span_id"] not in keys]
        # Those that come again had another name before, and others are there that go.
        first += [{**row, "name": "not yet"} for row in late if pick() < 0.3]
        late += [row for row in rows if row["context.span_id"] in keys and pick() < 0.05]
        others = [self.other(row) for row in rows if pick() < 0.05]
        first += others
        late += [row for row in others if pick() < 0.5]
        self.rng.shuffle(first)
        # Each of the small commits touches few traces, else segments are built again.
        late.sort(key=lambda row: (row["context.trace_id"], pick()))
        self.run("import", self.file(first))
        parts = [late[number * len(late) // COMMITS : (number + 1) * len(late) // COMMITS] for number in range(COMMITS)]
        for part in parts[: COMMITS // 2]:
            self.run("import", self.file(part))
        projects = sorted({row["project"] for row in rows})
        for project in projects:
            # Some stay deleted whatever comes, some are taken back.
            ids = [row["context.span_id"] for row in others if row["project"] == project]
            there = [row["context.span_id"] for row in rows if row["project"] == project and pick() < 0.02]
            there = [span for span in there if span in keys][:10]
            self.run("--project", project, "spans", "delete", "--yes", *ids, *there)
            again = [row for row in first if row["context.span_id"] in {*ids, *there}]
            self.run("import", self.file(again[:20] or rows[:1]))
            if there:
                self.run("--project", project, "spans", "undelete", *there)
        self.run("store", "compact")
        # Then the small ones, of which few are joined, and patches on all of them.
        for part in parts[COMMITS // 2 :]:
            self.run("import", self.file(part))
        for project in projects:
            self.write(project, evaluations, tiers)
        newest = max((Path(self.store) / "manifest").glob("*.json"))
        segments = json.loads(newest.read_text())["manifest"]["segments"]
        patches = sum(len(segment.get("patches", [])) for segment in segments)
        if patches == 0 or len(segments) < 2 * len(projects):
            raise RuntimeError(f"{len(segments)} segments with {patches} patches: such a store is not scattered")
        print(f"scattered: {len(segments)} segments, {patches} patches", flush=True)

    def other(self, row):
        more = {"context.span_id": f"{self.rng.getrandbits(64):016x}", "name": "other", "parent_id": row["context.span_id"]}
        return {**row, **more}

    def write(self, project, evaluations, tiers):
        """Evaluations and metadata of a project: wrong at first, then right, in three parts."""
        of = lambda rows: [{name: cell for name, cell in row.items() if name != "project"} for row in rows if row["project"] == project]
        evaluations, tiers = of(evaluations), of(tiers)
        wrong = [{name: "wrong" if name.endswith(".label") else cell for name, cell in row.items()} for row in evaluations]
        for part in [wrong[::2], evaluations[::3], evaluations[1::3], evaluations[2::3]]:
            if part:
                self.run("--project", project, "spans", "evaluate", self.file(part))
        for change in [lambda tier: f"not {tier}", lambda tier: tier]:
            rows = [{"span_id": row["span_id"], "patch_document": {"tier": change(row["tier"])}} for row in tiers]
            if rows:
                self.run("--project", project, "spans", "metadata", self.file(rows))

    def patched(self, rng):
        """A statement about what patches write."""
        columns = [(column, kind) for column, kind in SPANS.items() if kind != TIME and column == "span_id"]
        columns += list(PATCHED.items())
        writer = Writer(rng, columns)
        where = writer.truth(rng.choice([0, 1, 2])).text if rng.random() < 0.8 else None
        keys = rng.sample([column for column, kind in PATCHED.items() if kind == TEXT], rng.choice([1, 1, 2]))
        numbers = [column for column, kind in PATCHED.items() if kind != TEXT]
        select = [*(f"{key} AS k{at}" for at, key in enumerate(keys)), "count(*) AS n"]
        select += [f"{rng.choice(['min', 'max', 'count'])}({rng.choice(numbers)}) AS m"]
        return Statement([], {"select": select, "from": both("spans", "scattered"), "where": where, "group": keys})


def scattered(world, rng, statement):
    """A store in pieces and one of one import agree, and DuckDB with both on what patches write."""
    there = world.scattered()
    if rng.random() < 0.5:
        statement = statement(rng)
        answers = {"one import": world.ours.ask(statement.text()), "scattered": there.ours.ask(statement.text())}
    else:
        statement = there.patched(rng)
        answers = {"one import": world.ours.ask(statement.text()), "scattered": there.ours.ask(statement.text())}
        duckdb = world.duck.ask(statement.text().replace("span_id", '"context.span_id"'))
        # Where DuckDB refuses, it has nothing to say.
        if not duckdb.error:
            answers["duckdb over the export"] = duckdb
    first, *others = answers.values()
    if all(same(first, other, statement.ordered) for other in others) and not any(one.broken for one in answers.values()):
        return None
    if all(one.error and not one.broken for one in answers.values()):
        return None
    return our_text(statement.text()) + "".join(f"\n     {name}: {answer.shown()}" for name, answer in answers.items())
