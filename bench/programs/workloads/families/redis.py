# SPDX-License-Identifier: MIT
"""Redis on loopback, without persistence: data that can be checked, then redis-benchmark."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session, free_port
from bench.programs.workloads.workload import Need, Outcome, Workload

_REQUESTS = 60_000
_COMMANDS = "set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100"
_KEYS = 20_000


def _command(*words: str) -> bytes:
    """A command in Redis's protocol."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def commands(generator: random.Random) -> tuple[bytes, dict[str, int]]:
    """Commands that fill every type of Redis and delete some keys, and how many keys of each type are left."""
    stream = []
    left = {"string": 0, "hash": 0, "list": 0, "set": 0, "zset": 0}
    for number in range(_KEYS):
        kind = generator.choice(list(left))
        key, text = f"{kind}:{number}", "v" * int(4_000 * generator.random() ** 4)
        match kind:
            case "string":
                stream += [_command("SET", key, text), _command("APPEND", key, "tail")]
            case "hash":
                stream += [_command("HSET", key, f"field{n}", text[:200]) for n in range(generator.randint(1, 12))]
            case "list":
                stream += [_command("RPUSH", key, f"{n}{text[:100]}") for n in range(generator.randint(1, 12))]
            case "set":
                stream += [_command("SADD", key, str(generator.randrange(40))) for _ in range(10)]
            case "zset":
                stream += [_command("ZADD", key, str(generator.random()), f"m{n}") for n in range(10)]
        if generator.random() < 0.25:
            stream.append(_command("DEL", key))
        else:
            left[kind] += 1
    return b"".join(stream), left


class Server(Workload):
    """The digest that Redis computes over all data is compared with that under glibc, and has to outlive saving and
    loading: each block is read twice."""

    name = "redis"
    task = f"redis-server: {_KEYS:,} keys of all types, digest, reload, then redis-benchmark ({_COMMANDS})"
    needs = (
        Need("/usr/bin/redis-server", "redis-server"),
        Need("/usr/bin/redis-benchmark", "redis-tools"),
        Need("/usr/bin/redis-cli", "redis-tools"),
    )
    programs = frozenset({"redis-*"})

    def prepare(self, inputs: Path, seed: int) -> None:
        (inputs / "commands").write_bytes(commands(random.Random(seed))[0])
        (inputs / "left").write_text(str(sum(commands(random.Random(seed))[1].values())))

    def run(self, session: Session) -> Outcome:
        port = str(free_port())
        session.answer_jemalloc_calls()

        def cli(*words: str, stdin: Path | None = None) -> bytes:
            return session.tool("redis-cli", "-h", "127.0.0.1", "-p", port, *words, stdin=stdin).stdout.strip()

        def ready() -> bool:
            return b"PONG" in session.tool("sh", "-c", f"redis-cli -h 127.0.0.1 -p {port} ping 2>&1 || true").stdout

        version = int(session.tool("redis-server", "--version").stdout.split(b"v=")[1].split(b".")[0])
        # From 7 on DEBUG has to be allowed; before, there is no such option.
        debug = ["--enable-debug-command", "local"] if version >= 7 else []
        options = ["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]
        options += ["--dir", str(session.folder)]
        with session.serve("redis-server", *options, *debug, ready=ready, stop=None):
            replies = cli("--pipe", stdin=session.inputs / "commands")
            expect(b"errors: 0" in replies, f"commands failed: {replies!r}")
            size, digest = cli("DBSIZE"), cli("DEBUG", "DIGEST")
            left = (session.inputs / "left").read_bytes()
            expect(size == left, f"{left!r} keys had to be left, there are {size!r}")
            expect(set(digest) != set(b"0"), f"the digest is that of an empty database: {digest!r}")
            expect(cli("DEBUG", "RELOAD") == b"OK", "saving and loading failed")
            expect(cli("DEBUG", "DIGEST") == digest, "the data was not the same after saving and loading")
            operations, seconds = self._benchmark(session, port)
            expect(cli("PING") == b"PONG", "the server did not answer after the benchmark")
            cli("SHUTDOWN", "NOSAVE")
        return Outcome({"size": size, "digest": digest}, operations, seconds)

    def _benchmark(self, session: Session, port: str) -> tuple[int, float]:
        """Requests answered and seconds taken, of all commands."""
        done = session.tool(
            "redis-benchmark", "-h", "127.0.0.1", "-p", port, "--csv", "-t", _COMMANDS,
            "-n", str(_REQUESTS), "-r", str(_KEYS), "-d", "100", "-P", "16",
        )  # fmt: skip
        rates = [float(row["rps"]) for row in csv.DictReader(done.stdout.decode().splitlines())]
        expect(len(rates) >= _COMMANDS.count(",") + 1, f"redis-benchmark reported {len(rates)} commands")
        return len(rates) * _REQUESTS, sum(_REQUESTS / rate for rate in rates)


WORKLOADS = (Server(),)
