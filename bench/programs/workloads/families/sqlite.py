# SPDX-License-Identifier: MIT
"""The shell of SQLite: a database in a file, filled, indexed, searched, vacuumed and checked."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

from bench.programs.workloads import generate
from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_ROWS = 40_000
_KINDS = 200

_QUESTIONS = """
.print integrity
PRAGMA integrity_check;
.print count
SELECT count(*) FROM item;
.print joined
SELECT kind.name, count(*), sum(amount), max(item.title) FROM item JOIN kind ON kind.id = item.kind
  GROUP BY kind.id ORDER BY kind.name;
.print window
SELECT id, total FROM (SELECT id, sum(amount) OVER (PARTITION BY kind ORDER BY id) AS total FROM item)
  WHERE id % 97 = 0 ORDER BY id;
.print recursive
WITH RECURSIVE step(n, x) AS (
  VALUES (0, 1) UNION ALL SELECT n + 1, (x * 48271) % 2147483647 FROM step WHERE n < 200000)
  SELECT count(*), sum(x) FROM step;
.print text
SELECT count(*), sum(length(group_title)) FROM (SELECT group_concat(title) AS group_title FROM item GROUP BY kind);
CREATE VIRTUAL TABLE search USING fts5(title);
INSERT INTO search SELECT title FROM item;
SELECT count(*) FROM search WHERE search MATCH 'e* AND t*';
DELETE FROM item WHERE id % 3 = 0;
VACUUM;
.print afterwards
PRAGMA integrity_check;
SELECT count(*) FROM item;
.sha3sum
"""


class Shell(Workload):
    """What was inserted is summed here too, and read back by Python's own SQLite after the shell has ended."""

    name = "sqlite"
    task = "the shell of SQLite: a table with indexes filled, joins, window functions, full text, VACUUM, checks"
    needs = (Need("/usr/bin/sqlite3", "sqlite3"),)
    programs = frozenset({"sqlite3"})

    def prepare(self, inputs: Path, seed: int) -> None:
        generator = random.Random(seed)
        titles = generate.text(generator, _ROWS).splitlines()
        with open(inputs / "script.sql", "w") as script:
            script.write("CREATE TABLE kind(id INTEGER PRIMARY KEY, name TEXT UNIQUE);\n")
            script.write("CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, amount INTEGER, title TEXT);\n")
            script.write("CREATE INDEX item_title ON item(title);\nCREATE INDEX item_kind ON item(kind, amount);\n")
            script.write("BEGIN;\n")
            for number in range(_KINDS):
                script.write(f"INSERT INTO kind VALUES({number}, 'kind {number}');\n")
            for number, title in enumerate(titles):
                kind, amount = generator.randrange(_KINDS), generator.randrange(10_000)
                script.write(f"INSERT INTO item VALUES({number}, {kind}, {amount}, '{title}');\n")
            script.write("COMMIT;\n" + _QUESTIONS)

    def run(self, session: Session) -> Outcome:
        done = session.run("sqlite3", "-bail", "data.db", stdin=session.inputs / "script.sql")
        lines = done.stdout.decode().splitlines()
        expect(lines.count("ok") == 2, "PRAGMA integrity_check did not say ok twice")
        expect(lines[lines.index("count") + 1] == str(_ROWS), f"the table did not hold {_ROWS} rows")
        left = _ROWS - len(range(0, _ROWS, 3))
        with sqlite3.connect(session.folder / "data.db") as database:
            database.execute("PRAGMA query_only = 1")
            (checked,) = database.execute("PRAGMA integrity_check").fetchone()
            (rows,) = database.execute("SELECT count(*) FROM item").fetchone()
        database.close()
        expect(checked == "ok" and rows == left, f"read back: {checked}, {rows} rows instead of {left}")
        database_file = (session.folder / "data.db").read_bytes()
        return Outcome({"stdout": done.stdout, "stderr": done.stderr, "database": database_file})


WORKLOADS = (Shell(),)
