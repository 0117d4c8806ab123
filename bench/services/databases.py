# SPDX-License-Identifier: MIT
"""Databases with their own load generators: PostgreSQL, MariaDB, and RocksDB, which lives in the process of its bench."""

from __future__ import annotations

import re
import signal
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from bench.programs.workloads.errors import expect
from bench.programs.workloads.families import postgres
from bench.programs.workloads.session import Session, free_port
from bench.programs.workloads.workload import Need
from bench.services.service import LOOK_SECONDS, QUANTILES, Record, Service, wait_for

_LOOPBACK = "127.0.0.1"

# Of the working time: the rest is for filling the tables, and for what comes after the load.
_LOAD_SHARE = 0.7


class Postgres(Service):
    """The server of bench/programs, with memory for sorts."""

    name = "postgres"
    CLIENTS = 20
    task = f"PostgreSQL: pgbench with 8 clients; then {CLIENTS} connections sort a table each, stay open and wait"
    needs = tuple(Need(f"/usr/lib/postgresql/*/bin/{program}", "postgresql") for program in ("postgres", "pgbench"))
    programs = frozenset({"postgres"})
    _APART_SECONDS = 5
    """That the first and the last connection may be done with their sorts apart: all are open until then."""
    _SORT = (
        "SELECT count(*) FROM (SELECT aid, filler FROM pgbench_accounts ORDER BY filler, abalance, -aid OFFSET 1) AS t;"
    )

    def live(self, session: Session, record: Record) -> None:
        port = str(free_port())
        command = postgres.prepared(session, port, work_mem="16MB")
        connection = ("-h", _LOOPBACK, "-p", port, "-U", "bench")

        def pgbench(*words: str) -> None:
            session.tool(str(postgres.folder() / "pgbench"), *connection, *words, "postgres")

        # SIGINT is the server's fast shutdown.
        with session.serve(*command, ready=postgres.answers(session, port), stop=signal.SIGINT, user=postgres.USER):
            pgbench("-i", "-q", "-s", "1")
            record.begin = time.monotonic()
            seconds = max(1, round(_LOAD_SHARE * self.times.work))
            pgbench("-n", "-c", "8", "-j", "2", "-T", str(seconds), "-l", f"--log-prefix={session.folder}/took")
            self._wait(session, record, pgbench)
        record.latencies = pgbench_latencies(session.folder)

    def _wait(self, session: Session, record: Record, pgbench: Callable[..., None]) -> None:
        """Connections that have worked are idle: pgbench's own \\sleep keeps them, until the last has been idle long enough."""
        script, log = session.folder / "idle.sql", session.folder / "slept"
        script.write_text(f"{self._SORT}\n\\sleep {round((self.times.idle + self._APART_SECONDS) * 1000)} ms\n")
        pgbench(
            "-n", "-c", str(self.CLIENTS), "-j", "2", "-t", "1", "-f", str(script), "-l", f"--log-prefix={log}"
        )  # fmt: skip
        ended = time.monotonic()
        apart = pgbench_apart(session.folder)
        expect(apart < self._APART_SECONDS - 2 * LOOK_SECONDS, f"the connections were done {apart:.1f} s apart")
        record.idle = ended - self.times.idle - self._APART_SECONDS
        record.end = record.idle + self.times.idle


def pgbench_latencies(folder: Path) -> array[int]:
    """Nanoseconds, from the microseconds in the third column of what pgbench logs."""
    found = array("I")
    for log in sorted(folder.glob("took.*")):
        found.extend(min(int(line.split()[2]) * 1000, 2**32 - 1) for line in log.read_text().splitlines())
    expect(len(found) > 0, "pgbench logged no transaction")
    return found


def pgbench_apart(folder: Path) -> float:
    """Seconds between the ends of the first and the last transaction of a script, by columns five and six of its log."""
    lines = [line.split() for log in folder.glob("slept.*") for line in log.read_text().splitlines()]
    ends = [int(line[4]) + int(line[5]) / 1e6 for line in lines]
    expect(len(ends) > 0, "pgbench logged no transaction")
    return max(ends) - min(ends)


class MariaDB(Service):
    """Root gives it to the user `nobody`: the server refuses root, and Debian's package of the server alone brings no user."""

    name = "mariadb"
    THREADS = 16
    task = f"MariaDB: sysbench's oltp_read_write with {THREADS} connections, which are then closed"
    needs = (
        Need("/usr/sbin/mariadbd", "mariadb-server-core"),
        Need("/usr/bin/mariadb", "mariadb-client-core"),
        Need("/usr/bin/sysbench", "sysbench"),
    )
    programs = frozenset({"mariadbd"})
    _USER = "nobody"

    def live(self, session: Session, record: Record) -> None:
        session.give_folder(self._USER)
        data, stream = session.folder / "data", str(session.folder / "s")
        session.run(
            "mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
            f"--datadir={data}", user=self._USER, measured=False,
        )  # fmt: skip
        options = [f"--datadir={data}", f"--socket={stream}", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]

        def client(*words: str) -> bytes:
            return session.tool(*words).stdout

        def ready() -> bool:
            probe = f"mariadb --no-defaults --socket={stream} -u root -e 'SELECT 4711' 2>&1 || true"
            return b"4711" in client("sh", "-c", probe)

        bench = ["sysbench", "oltp_read_write", f"--mysql-socket={stream}", "--mysql-user=root", "--mysql-db=bench"]
        bench += ["--tables=4", "--table-size=10000", f"--threads={self.THREADS}", "--rand-seed=1"]
        with session.serve(
            "/usr/sbin/mariadbd", "--no-defaults", *options, ready=ready, stop=signal.SIGTERM, user=self._USER
        ):
            client("mariadb", "--no-defaults", f"--socket={stream}", "-u", "root", "-e", "CREATE DATABASE bench")
            client(*bench, "prepare")
            record.begin = time.monotonic()
            seconds = max(1, round(_LOAD_SHARE * self.times.work))
            report = client(*bench, f"--time={seconds}", "--histogram=on", "run").decode()
            record.rest(self.times.idle)
        record.requests, record.quantiles = sysbench_latencies(report)


def sysbench_latencies(report: str) -> tuple[int, dict[str, float]]:
    """Transactions and quantiles in seconds, of the histogram that sysbench prints in milliseconds."""
    rows = [
        (float(row[1]) / 1e3, int(row[2]))
        for row in re.finditer(r"^ *([0-9.]+) \|\** *([0-9]+)$", report, re.MULTILINE)
    ]
    total = sum(count for _, count in rows)
    expect(total > 0, f"sysbench printed no histogram: {report[-500:]!r}")
    found = {}
    for name, share in QUANTILES.items():
        seen = 0
        for value, count in rows:
            seen += count
            if seen >= share * total:
                found[name] = value
                break
    return total, found


class RocksDB(Service):
    """It ends when its bench does, so that it has no idle time."""

    name = "rocksdb"
    THREADS = 4
    task = f"RocksDB's db_bench with {THREADS} threads: fillrandom, then readrandomwriterandom, whose reads are the requests"
    needs = (Need("/usr/bin/db_bench", "rocksdb-tools"),)
    programs = frozenset({"db_bench"})
    waits = False

    def live(self, session: Session, record: Record) -> None:
        database, report = session.folder / "db", session.folder / "report"
        seconds = max(1, round(_LOAD_SHARE * self.times.work / 2))
        with session.serve(
            "sh", "-c", 'exec "$@" >report', "sh",
            "db_bench", "--benchmarks=fillrandom,readrandomwriterandom", f"--db={database}", f"--duration={seconds}",
            f"--threads={self.THREADS}", "--num=200000", "--value_size=400", "--histogram=true", "--seed=1",
            "--write_buffer_size=8388608",
            ready=(database / "CURRENT").exists, stop=None,
        ) as process:  # fmt: skip
            record.begin = time.monotonic()
            wait_for(process, self.times.limit)
        record.requests, record.quantiles = db_bench_latencies(report.read_text())


def db_bench_latencies(report: str) -> tuple[int, dict[str, float]]:
    """Reads and quantiles in seconds, of the histogram that db_bench prints in microseconds."""
    found = re.search(
        r"readrandomwriterandom.*?^Microseconds per read:\s*Count: ([0-9]+) .*?^Percentiles: P50: ([0-9.]+) .*?"
        r"P99: ([0-9.]+) P99\.9: ([0-9.]+) ",
        report,
        re.MULTILINE | re.DOTALL,
    )
    expect(found is not None, f"db_bench printed no histogram of its reads: {report[-500:]!r}")
    assert found is not None
    return int(found[1]), {name: float(value) / 1e6 for name, value in zip(QUANTILES, found.groups()[1:])}
