# SPDX-License-Identifier: MIT
"""PostgreSQL on loopback: initdb, pgbench's tables, transactions with a fixed seed, and the sums that must agree."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session, free_port
from bench.programs.workloads.workload import Memory, Need, Outcome, Workload

_PATTERN = "/usr/lib/postgresql/*/bin/"
_CLIENTS = 4
_TRANSACTIONS = 1_500
"""Of each client."""
_SCALE = 2
_ACCOUNTS = 100_000 * _SCALE

# What every transaction adds to an account, a teller, a branch and the history is the same number.
_SUMS = """
SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
  (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM pgbench_history),
  (SELECT count(*) FROM pgbench_history), (SELECT count(*) FROM pgbench_accounts)
"""
# Rows in order of what does not depend on which client came first.
_CHECKSUMS = """
SELECT md5(string_agg(aid || ':' || abalance, ',' ORDER BY aid)) FROM pgbench_accounts WHERE abalance <> 0
"""
# Compares each index with its table, row by row; raises where they disagree.
_AMCHECK = """
CREATE EXTENSION amcheck;
SELECT count(bt_index_check(indexrelid, true)) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
  JOIN pg_am ON pg_am.oid = relam WHERE amname = 'btree'
"""


USER = "postgres"
"""Whom root gives the server to, which refuses root."""


def folder() -> Path:
    """Where Debian has the programs of the newest version."""
    return Path(Need(_PATTERN + "postgres", "postgresql").find()).parent


def prepared(session: Session, port: str, **more: str) -> list[str]:
    """Makes a cluster in the session's folder; the server's command line, with `more` settings."""
    session.give_folder(USER)
    data = str(session.folder / "data")
    session.run(
        str(folder() / "initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
        user=USER, measured=False,
    )  # fmt: skip
    settings = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
        "jit": "off", "shared_buffers": "32MB", "log_min_messages": "warning",
    }  # fmt: skip
    options = [word for name, value in (settings | more).items() for word in ("-c", f"{name}={value}")]
    return [str(folder() / "postgres"), "-D", data, *options]


def answers(session: Session, port: str) -> Callable[[], bool]:
    """Whether the server takes connections."""
    probe = f"{folder()}/pg_isready -h 127.0.0.1 -p {port} -U bench -d postgres || true"
    return lambda: b"accepting connections" in session.tool("sh", "-c", probe).stdout


class Server(Workload):
    """Transactions whose sums and indexes have to agree."""

    name = "postgres"
    task = (
        f"PostgreSQL: pgbench with {_CLIENTS} clients of {_TRANSACTIONS:,} transactions at scale {_SCALE}, then "
        "a sort and checks of sums and indexes"
    )
    needs = tuple(Need(_PATTERN + program, "postgresql") for program in ("postgres", "initdb", "pgbench", "psql"))
    programs = frozenset({"postgres", "initdb"})
    memory = Memory.SUM

    def run(self, session: Session) -> Outcome:
        binaries, port = folder(), str(free_port())
        connection = ("-h", "127.0.0.1", "-p", port, "-U", "bench")

        def client(program: str, *words: str) -> bytes:
            return session.tool(str(binaries / program), *connection, *words, "bench").stdout

        def question(text: str) -> bytes:
            return client("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text)

        command = prepared(session, port)
        # SIGINT is the server's fast shutdown.
        with session.serve(*command, ready=answers(session, port), stop=signal.SIGINT, user=USER):
            session.tool(str(binaries / "createdb"), *connection, "bench")
            client("pgbench", "-i", "-q", "-s", str(_SCALE))
            report = client(
                "pgbench", "-n", "-c", str(_CLIENTS), "-j", "2", "-t", str(_TRANSACTIONS), "--random-seed=7"
            ).decode()
            outputs = {"sums": question(_SUMS), "checksums": question(_CHECKSUMS), "indexes": question(_AMCHECK)}
        self._check(outputs["sums"].decode(), outputs["indexes"].decode())
        shutil.rmtree(session.folder / "data")
        return Outcome(outputs, *throughput(report))

    def _check(self, sums: str, indexes: str) -> None:
        accounts, tellers, branches, deltas, transactions, rows = (int(figure) for figure in sums.strip().split("|"))
        expect(accounts == tellers == branches == deltas, f"the sums do not agree: {sums}")
        expect(transactions == _CLIENTS * _TRANSACTIONS, f"{transactions} transactions are in the history")
        expect(rows == _ACCOUNTS, f"{rows} accounts instead of {_ACCOUNTS}")
        expect(int(indexes.split()[-1]) > 50, f"amcheck looked at {indexes} indexes")


def throughput(report: str) -> tuple[int, float]:
    """Transactions and seconds from what pgbench prints."""
    done = re.search(r"actually processed: ([0-9]+)/[0-9]+", report)
    rate = re.search(r"tps = ([0-9.]+) \(without initial connection time\)", report)
    failed = re.search(r"number of failed transactions: 0 ", report)
    expect(done is not None and rate is not None and failed is not None, f"pgbench reported {report!r}")
    assert done is not None and rate is not None
    return int(done[1]), int(done[1]) / float(rate[1])


WORKLOADS = (Server(),)
