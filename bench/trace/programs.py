# SPDX-License-Identifier: MIT
"""Standard traces: what some real programs of the system ask of their allocator, recorded on the spot.

    traces = record_all(Path("traces"), ["gcc", "redis"])     # {"gcc": Path(...), "redis": Path(...)}

Each program works on input that is generated from a fixed seed, and records at most LIMIT events, which takes some
seconds; what comes after is not recorded. Traces are of this machine's versions of the programs: they are made where
they are used, and not kept in the source tree.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.measure import recording
from tools.measure.process import clean_environment
from tools.measure.program import BenchError

LIMIT = 2_000_000
"""Events of one trace."""

SECONDS = 60
"""A program that runs longer hangs: on an idle machine each takes less than ten."""

_SEED = 1
_LOOPBACK = "127.0.0.1"

# Below the kernel's ports for outgoing connections, one of which could take a port between our look and the server.
_PORTS = range(20_000, 32_000)

_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Program:
    """One program that can be recorded."""

    name: str
    description: str
    needs: Mapping[str, str]
    """Programs that must be installed, and their Debian packages."""
    record: Callable[[Path, Path], None]
    """Records to the first path; the second is an empty folder to work in."""

    def missing(self) -> list[str]:
        """Packages of programs that are not there."""
        return sorted({package for program, package in self.needs.items() if shutil.which(program) is None})


def _environment(**more: str) -> dict[str, str]:
    """The same for everybody who records: what programs print and how they sort depends on the locale."""
    return {**clean_environment(os.environ), "LC_ALL": "C.UTF-8", **more}


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BenchError(f"{name} is not installed")
    return found


def _run(command: Sequence[str], output: Path, folder: Path, stdin: str | None = None, **more: str) -> None:
    """Records one program that works by itself and ends."""
    settings = recording.Settings(output, limit=LIMIT, children=False)
    environment = _environment(**more)
    try:
        status = recording.run(
            command,
            settings,
            cwd=folder,
            env=environment,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{command[0]} did not end within {SECONDS} s") from error
    if status != 0:
        raise BenchError(f"{command[0]} ended with status {status} while it was recorded")


def _source(functions: int) -> str:
    """A C file with as many functions, of loops, branches and calls of each other."""
    draw = random.Random(_SEED)
    lines = ["struct node { struct node *next; long key; char name[24]; };", "extern int printf(const char *, ...);"]
    for number in range(functions):
        lines.append(f"static long f{number}(struct node *list, long x, int y) {{")
        lines.append(f"    long sum = {draw.randrange(1000)}, table[{draw.randrange(4, 40)}] = {{0}};")
        for _ in range(draw.randrange(3, 12)):
            k, a, b = draw.randrange(4), draw.randrange(1, 100), draw.randrange(1, 100)
            lines.append(f"    for (int i = 0; i < y % {a + 1}; i++) {{")
            lines.append(f"        table[i % {k + 4}] += x * {a} + (list != 0 ? list->key : {b});")
            lines.append(f"        switch ((x + i) % {k + 3}) {{")
            for case in range(k + 3):
                lines.append(f"        case {case}: sum += table[{case}] * {draw.randrange(9)}; break;")
            lines += ["        }", "    }"]
        if number > 0:
            lines.append(f"    sum += f{draw.randrange(number)}(list != 0 ? list->next : 0, sum, y - 1);")
        lines += [f'    printf("%ld in f{number}\\n", sum);', "    return sum;", "}"]
    lines.append("int main(int argc, char **argv) { struct node n = {0, argc, {0}}; (void)argv;")
    lines.append(f"    return (int)f{functions - 1}(&n, argc, argc); }}")
    return "\n".join(lines) + "\n"


def _record_gcc(output: Path, folder: Path) -> None:
    """The compiler proper: gcc itself only starts it."""
    compiler = subprocess.run(
        [_tool("gcc"), "-print-prog-name=cc1"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (folder / "source.c").write_text(_source(250))
    _run([compiler, "-quiet", "-O2", "-o", "source.s", "source.c"], output, folder)


def _sql() -> str:
    """Tables, indexes, joins, text functions and recursion, then half of it deleted."""
    draw = random.Random(_SEED)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randrange(3, 12))) for _ in range(400)]
    lines = [
        "PRAGMA journal_mode=MEMORY; PRAGMA cache_size=-4000;",
        "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, town TEXT, age INTEGER);",
        "CREATE TABLE visit(person INTEGER, day INTEGER, note TEXT);",
        "BEGIN;",
    ]
    for number in range(4000):
        name, town = draw.choice(words), draw.choice(words[:40])
        lines.append(f"INSERT INTO person VALUES({number}, '{name}', '{town}', {draw.randrange(100)});")
        note = " ".join(draw.choices(words, k=draw.randrange(1, 30)))
        lines.append(f"INSERT INTO visit VALUES({draw.randrange(4000)}, {draw.randrange(365)}, '{note}');")
    lines += ["COMMIT;", "CREATE INDEX by_town ON person(town, age);", "CREATE INDEX by_person ON visit(person);"]
    for town in words[:40]:
        lines.append(
            "SELECT p.name, count(*), group_concat(substr(v.note, 1, 20), ';') FROM person p JOIN visit v "
            f"ON v.person = p.id WHERE p.town = '{town}' GROUP BY p.name ORDER BY 2 DESC, 1 LIMIT 20;"
        )
        lines.append(f"UPDATE visit SET note = upper(note) || '{town}' WHERE day % 40 = {words.index(town)};")
    lines.append("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)")
    lines.append("SELECT sum(i) FROM n;")
    lines.append("DELETE FROM visit WHERE day < 180; VACUUM; SELECT count(*), sum(length(note)) FROM visit;")
    return "\n".join(lines) + "\n"


def _record_sqlite(output: Path, folder: Path) -> None:
    _run([_tool("sqlite3"), "-batch", ":memory:"], output, folder, stdin=_sql())


_PYTHON = """
import collections, json, random, re
draw = random.Random(1)
words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randrange(2, 11))) for _ in range(4000)]
text = " ".join(draw.choice(words) for _ in range(30000))
counts = collections.Counter(re.findall("[a-z]+", text))
tree = {}
for word in counts:
    node = tree
    for letter in word:
        node = node.setdefault(letter, {})
    node[""] = counts[word]
encoded = json.dumps(tree, sort_keys=True)
for _ in range(4):
    assert json.loads(encoded) == tree
rows = [{"word": word, "count": count, "letters": sorted(set(word))} for word, count in counts.items()]
rows.sort(key=lambda row: (-row["count"], row["word"]))
assert json.loads(json.dumps(rows)) == rows
print(sum(len(row["letters"]) for row in rows), len(encoded))
"""


def _record_python(output: Path, folder: Path) -> None:
    """The interpreter without its own arenas: every object is a block. Its hashes are the same in each run."""
    command = [_tool("/usr/bin/python3"), "-s", "-S", "-c", _PYTHON]
    _run(command, output, folder, PYTHONMALLOC="malloc", PYTHONHASHSEED="0")


_PERL = r"""
my ($state, %count, %next) = (1);
sub draw { $state = ($state * 1103515245 + 12345) % 2147483648; return int($state / 65536) % $_[0]; }
my @words = map { join "", map { chr(97 + draw(16)) } 0 .. 2 + draw(8) } 1 .. 9000;
my @text = map { $words[draw(scalar @words)] } 1 .. 250000;
for my $i (0 .. $#text - 1) { $count{$text[$i]}++; $next{$text[$i]}{$text[$i + 1]}++; }
my $joined = join " ", @text;
my @found = $joined =~ /\b([a-h]+)\b/g;
$joined =~ s/([a-p])([a-p]+)/\u$1$2/g;
my @sorted = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my %groups; push @{ $groups{length $_} }, reverse $_ for @sorted;
printf "%d %d %d %d\n", scalar @found, length $joined, scalar @sorted, scalar keys %groups;
"""


def _record_perl(output: Path, folder: Path) -> None:
    _run([_tool("perl"), "-e", _PERL], output, folder, PERL_HASH_SEED="0")


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind((_LOOPBACK, port))
            except OSError:
                continue
            return port
    raise BenchError(f"none of 100 ports from {_PORTS.start} to {_PORTS.stop} was free")


def _wait_until_listening(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with socket.create_connection((_LOOPBACK, port), timeout=1):
                return
        except OSError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"redis-server does not listen on port {port}: {error}") from error
        time.sleep(_POLL_SECONDS)


def _drop_all(port: int) -> None:
    """Lets the server's background thread free all that the first one has allocated, and waits until it has."""
    with socket.create_connection((_LOOPBACK, port), timeout=SECONDS) as connection:
        connection.sendall(b"FLUSHALL ASYNC\r\n")
        replies = connection.recv(4096)
        deadline = time.monotonic() + SECONDS
        while b"lazyfree_pending_objects:0\r" not in replies:
            if time.monotonic() > deadline:
                raise BenchError(f"redis-server did not drop its data: {replies[-200:]!r}")
            time.sleep(_POLL_SECONDS)
            connection.sendall(b"INFO memory\r\n")
            replies += connection.recv(65536)


def _record_redis(output: Path, folder: Path) -> None:
    """The server, without persistence; redis-benchmark fills it and is not recorded."""
    port = free_port()
    command = [_tool("redis-server"), "--bind", _LOOPBACK, "--port", str(port), "--save", "", "--appendonly", "no"]
    settings = recording.Settings(output, limit=LIMIT, children=False)
    recording.clear(output)
    server = subprocess.Popen(
        command,
        cwd=folder,
        env=settings.environment(_environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_listening(server, port)
        for tests, requests in (("set,get,incr,hset,sadd,zadd", 25_000), ("lpush,rpop,lrange_100", 5_000)):
            load = [_tool("redis-benchmark"), "-h", _LOOPBACK, "-p", str(port), "-q", "-t", tests]
            load += ["-n", str(requests), "-r", "5000", "-d", "100", "-P", "8", "-c", "20"]
            subprocess.run(
                load,
                env=_environment(),
                check=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        _drop_all(port)
        # SIGTERM is Redis's own orderly end.
        server.terminate()
        status = server.wait(SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise BenchError(f"redis could not be recorded: {error}") from error
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    recording.require(output, command[0])
    if status != 0:
        raise BenchError(f"redis-server ended with status {status} while it was recorded")


PROGRAMS = {
    program.name: program
    for program in (
        Program("gcc", "cc1 -O2 compiles a generated file of 250 functions", {"gcc": "gcc"}, _record_gcc),
        Program("perl", "perl counts, sorts and rewrites words", {"perl": "perl"}, _record_perl),
        Program(
            "python",
            "python3 with PYTHONMALLOC=malloc: dictionaries, JSON, regular expressions",
            {"/usr/bin/python3": "python3"},
            _record_python,
        ),
        Program(
            "redis",
            "redis-server in memory, under redis-benchmark on loopback",
            {"redis-server": "redis-server", "redis-benchmark": "redis-tools"},
            _record_redis,
        ),
        Program("sqlite", "sqlite3: a database in memory, joins, VACUUM", {"sqlite3": "sqlite3"}, _record_sqlite),
    )
}
"""By name, in the order of their names."""


def record_one(name: str, output: Path) -> None:
    """Records the program `name` to `output`. A BenchError where it is unknown, not installed, or fails."""
    if name not in PROGRAMS:
        raise BenchError(f"no such program: {name}; there are {', '.join(PROGRAMS)}")
    missing = PROGRAMS[name].missing()
    if missing:
        raise BenchError(f"{name} cannot be recorded: install {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix=f"trace-{name}-") as folder:
        PROGRAMS[name].record(output.absolute(), Path(folder))
    found = recording.info(output)
    if not found["complete"]:
        raise BenchError(f"{output}: the trace of {name} is incomplete")


def record_all(folder: Path, names: Sequence[str] | None = None) -> dict[str, Path]:
    """Records the programs `names`, by default all, each to FOLDER/NAME.trace; returns name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(PROGRAMS) if names is None else list(dict.fromkeys(names))
    traces = {name: folder / f"{name}.trace" for name in wanted}
    for name, output in traces.items():
        record_one(name, output)
    return traces
