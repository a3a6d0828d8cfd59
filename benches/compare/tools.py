"""The peers, of the versions named here, in a virtual environment that is kept."""
import os
import pathlib
import subprocess
import sys

PINNED = {"duckdb": "2.0.1", "duckdb-cli": "1.5.6", "pyarrow": "26.0.1", "polars": "2.1.0", "datafusion": "55.0.0", "chdb": "4.4.0"}

# What an engine needs, by package; DuckDB's also writes the spans.
NEEDS = {"duckdb-parquet": "duckdb", "duckdb-native": "duckdb", "duckdb-cli": "duckdb-cli", "polars": "polars",
         "datafusion": "datafusion", "chdb": "chdb"}


def environment():
    """Gives the Python of the environment, and the version of each package that is there."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    place = cache / "spanql" / "tools" / "compare"
    python = place / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
    have = installed(python)
    for name, version in PINNED.items():
        if have.get(name) == version:
            continue
        print(f"installing {name} {version}", file=sys.stderr, flush=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{name}=={version}"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            print(f"{name} is left out: {said[-1]}", file=sys.stderr, flush=True)
    return python, {name: version for name, version in installed(python).items() if name in PINNED}


def installed(python):
    listed = subprocess.run([python, "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"],
                            capture_output=True, text=True, check=True)
    return dict(line.split("==", 1) for line in listed.stdout.split() if "==" in line)
