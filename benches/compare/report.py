"""What was measured, as lines of JSON and as a table."""
import json

ORDER = ["spanql", "duckdb-parquet", "duckdb-native", "duckdb-cli", "polars", "chdb", "datafusion"]
PEERS = ["duckdb-parquet", "duckdb-native", "duckdb-cli"]


def number(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def table(lines, shape, scale, state):
    """Gives the text of one shape, scale and state."""
    found = {(line["question"], line["engine"]): line for line in lines
             if "question" in line and (line["shape"], line["scale"], line["state"]) == (shape, scale, state)}
    engines = [engine for engine in ORDER if any(key[1] == engine for key in found)]
    if not engines:
        return ""
    questions = list(dict.fromkeys(question for question, _ in found))
    peers = [engine for engine in PEERS if engine in engines]
    head = [f"{state}, {scale:,} {shape} spans: ms", *engines, *(f"to {peer}" for peer in peers), "MiB"]
    rows = [head]
    for question in questions:
        value = {engine: found.get((question, engine), {}).get("ms") for engine in engines}
        ours = value.get("spanql")
        ratios = [f"{value[peer] / ours:.2f}" if ours and value[peer] else "-" for peer in peers]
        peak = found.get((question, "spanql"), {}).get("peak_mib")
        rows.append([question, *(number(value[engine]) for engine in engines), *ratios, number(peak)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) if place == 0 else cell.rjust(width)
                               for place, (cell, width) in enumerate(zip(row, widths))) for row in rows)


def notes(lines):
    said = dict.fromkeys(f"{line['engine']}: {line['question']}: {line['skipped']}" for line in lines if line.get("skipped"))
    return "\n".join(said)


def loads(lines):
    rows = [line for line in lines if "load" in line]
    return "\n".join(f"{line['load']:<15} {line['shape']:<6} {line['scale']:>10,} {line['ms'] / 1000:>8.2f} s {line['bytes'] / 1e6:>9,.1f} MB "
                     f"{line['bytes'] / line['scale']:>7.0f} B/span" for line in rows)


def keep(file, lines):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
