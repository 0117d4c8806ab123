# SPDX-License-Identifier: MIT
"""hakmem export and stat --format=prometheus: the text, by an independent parser, and the server, by clients of all kinds."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from collections.abc import Callable
from unittest import mock

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tools.cli import export, exposition, published, untrusted, web, workload
from tools.cli.observe_case import COMMAND, LIBRARY, OBSERVED, SECONDS, ObserveCase

_LIVE = 1000
_BLOCK = 48


def families(text: str) -> dict[str, Metric]:
    """By name. A sample that is there twice is an error, as it is to Prometheus."""
    found: dict[str, Metric] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found, family.name
        found[family.name] = family
        names = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(set(names)) == len(names), family.name
    return found


class ExportCase(ObserveCase):
    def export(self, *line: str, before: tuple[str, ...] = ()) -> tuple[str, int]:
        """Host and port of an exporter, which SIGTERM ends at the end of the test."""
        process = subprocess.Popen(
            [*before, COMMAND, "export", "--listen=127.0.0.1:0", *line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        found = re.fullmatch(r"http://([0-9.]+):([0-9]+)/metrics", self.line_of(process))
        assert found is not None
        self.exporter = process
        return found[1], int(found[2])

    def ask(
        self, where: tuple[str, int], path: str = "/metrics", method: str = "GET", **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(*where, timeout=SECONDS)
        self.addCleanup(connection.close)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()

    def end(self, number: signal.Signals) -> None:
        self.exporter.send_signal(number)
        self.assertEqual(self.exporter.communicate(timeout=SECONDS), ("", ""))
        self.assertEqual(self.exporter.returncode, 0)


class TextTest(ObserveCase):
    def test_one_process_has_the_figures_of_the_json(self) -> None:
        process = self.observed("quiet")
        found = families(self.succeed("stat", "--format=prometheus", str(process.pid)))
        statistics = json.loads(self.succeed("stat", "--format=json", str(process.pid)))
        for family in found.values():
            for sample in family.samples:
                self.assertEqual((sample.labels["pid"], sample.labels["command"]), (str(process.pid), "observed"))
        (live,) = [one for one in found["hakmem_live_blocks"].samples if one.labels["block_bytes"] == str(_BLOCK)]
        self.assertGreaterEqual(live.value, _LIVE)
        for metric, field in (("hakmem_live_bytes", "live_bytes"), ("hakmem_slabs", "slabs")):
            total = sum(pool[field] for pool in statistics["pools"].values())
            self.assertEqual(sum(one.value for one in found[metric].samples), total)
            self.assertIn(("huge", "0"), {(one.labels["pool"], one.labels["class"]) for one in found[metric].samples})
        self.assertEqual(found["hakmem_held_bytes"].samples[0].value, statistics["process"]["held_bytes"])
        (tid,) = {one.labels["tid"] for one in found["hakmem_thread_allocations"].samples}
        self.assertEqual(tid, str(process.pid))
        self.assertGreater(found["hakmem_process_resident_bytes"].samples[0].value, 0)

    def test_names_help_and_types_are_the_librarys(self) -> None:
        process = self.observed("quiet")
        ours = self.succeed("stat", "--format=prometheus", str(process.pid))
        theirs = self.run_command("run", "--stats=prometheus", "sort", "/dev/null").stderr
        heads = [{line for line in text.splitlines() if line.startswith("# ")} for text in (ours, theirs)]
        self.assertEqual(heads[1] - heads[0], set())
        self.assertEqual(len(heads[0] - heads[1]), 2, "resident memory, which the library does not know")

    def test_counters_and_no_others_end_in_total(self) -> None:
        process = self.observed("quiet")
        text = self.succeed("stat", "--format=prometheus", str(process.pid)) + export.text(False)
        kinds = set(re.findall(r"(?m)^# TYPE (\w+) (\w+)$", text))
        self.assertEqual(
            {name for name, kind in kinds if kind == "counter"}, {n for n, _ in kinds if n.endswith("_total")}
        )
        self.assertLessEqual({kind for _, kind in kinds}, {"counter", "gauge"})

    def test_labels_are_escaped(self) -> None:
        found = exposition.Exposition()
        found.add("hakmem_x", "Help", {"a": 'quote " back \\ line \n end', "none": ""}, 1)
        self.assertEqual(found.text().splitlines()[2], r'hakmem_x{a="quote \" back \\ line \n end"} 1')
        (sample,) = families(found.text())["hakmem_x"].samples
        self.assertEqual(sample.labels, {"a": 'quote " back \\ line \n end'})

    def test_texts_that_are_no_unicode_are_written(self) -> None:
        process = self.observed("quiet")
        found = {**published.read(process.pid), "config": 'a"\udcff\n'}
        text = exposition.Exposition()
        exposition.add_process(text, found, {}, with_threads=True)
        (sample,) = families(text.text().encode("utf-8").decode("utf-8"))["hakmem_build_info"].samples
        self.assertEqual(sample.labels["config"], 'a"\\udcff\\n')

    def test_classes_of_one_number_are_refused(self) -> None:
        process = self.observed("quiet")
        found = published.read(process.pid)
        for numbers in ((5, 5), (0, 1)):
            classes = [{**found["classes"][0], "class": number} for number in numbers]
            with self.assertRaisesRegex(untrusted.Malformed, "two classes have one number"):
                untrusted.statistics(json.dumps({**found, "classes": classes}).encode())


class WorkloadTest(unittest.TestCase):
    def test_group_and_container(self) -> None:
        number = "0123456789abcdef" * 4
        ends = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # of a line, to Python; to the kernel that is a line feed alone
        for text, group, container in (
            (f"0::/system.slice/docker-{number}.scope\n", f"/system.slice/docker-{number}.scope", number),
            (f"12:memory:/docker/{number}\n11:cpu:/\n0::/\n", f"/docker/{number}", number),
            (f"0::/kubepods/pod1/cri-containerd-{number}.scope/init\n", None, number),
            (f"0::/machine.slice/libpod-{number}.scope/container\n", None, number),
            (f"0::/user/{number}f\n", None, ""),
            ("3:memory:/old\n0::/new\n", "/new", ""),
            ("0::/system.slice/redis.service\n", "/system.slice/redis.service", ""),
            ("1:name=systemd:/a:b\n", "/a:b", ""),
            ("0::/\n", "", ""),
            ("", "", ""),
            ("0::/\x1b[31m\n", r"/\x1b[31m", ""),
            *((f"0::/a{end}1:x:/b\n", f"/a{ascii(end)[1:-1]}1:x:/b", "") for end in ends),
            ("0::/\udcff\n", r"/\udcff", ""),
        ):
            content = text.encode("utf-8", "surrogateescape")
            with self.subTest(text), mock.patch("pathlib.Path.read_bytes", return_value=content):
                found = workload.cgroup_of(1)
                self.assertEqual(workload.container_of(found), container)
                if group is not None:
                    self.assertEqual(found, group)

    def test_a_process_that_is_gone_has_none(self) -> None:
        self.assertEqual(workload.cgroup_of(2**31 - 1), "")


class ServerTest(ExportCase):
    def test_all_processes_that_publish(self) -> None:
        first, second = self.observed("quiet"), self.observed("load", "1")
        where = self.export()
        response, body = self.ask(where)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.getheader("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
        found = families(body.decode("utf-8"))
        pids = {sample.labels["pid"] for sample in found["hakmem_held_bytes"].samples}
        self.assertLessEqual({str(first.pid), str(second.pid)}, pids)
        self.assertEqual(found["hakmem_export_processes"].samples[0].value, len(pids))
        self.assertNotIn("hakmem_thread_allocations", found)
        self.end(signal.SIGTERM)

    def test_threads_where_they_are_asked_for(self) -> None:
        process = self.observed("quiet")
        _, body = self.ask(self.export("--threads"))
        samples = families(body.decode())["hakmem_thread_allocations"].samples
        self.assertIn(str(process.pid), {sample.labels["tid"] for sample in samples})
        self.end(signal.SIGINT)

    @unittest.skipUnless(os.geteuid() == 0, "starts a program of another user")
    def test_all_users_with_the_rights_that_its_unit_leaves_it(self) -> None:
        # Where another user may read: the sandbox lies below root's own folders.
        folder = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        program, library = (shutil.copy(one, folder.name) for one in (OBSERVED, LIBRARY))
        process = self.start(program, "quiet", preload=library, user=65534)
        self.until(lambda: self.is_published(process.pid), "published")
        where = self.export(before=("setpriv", "--bounding-set=-all,+sys_ptrace,+dac_read_search"))
        samples = families(self.ask(where)[1].decode())["hakmem_held_bytes"].samples
        self.assertIn(str(process.pid), {sample.labels["pid"] for sample in samples})
        self.end(signal.SIGTERM)

    def test_what_it_answers(self) -> None:
        where = self.export()
        response, body = self.ask(where, method="HEAD")
        self.assertEqual((response.status, body), (200, b""))
        self.assertGreater(int(response.getheader("Content-Length") or 0), 0)
        for path, method, status in (
            ("/metrics?x=y", "GET", 200),
            (f"http://{where[0]}/metrics", "GET", 200),
            ("/", "GET", 200),
            ("/metric", "GET", 404),
            ("/metrics/", "HEAD", 404),
            ("/metrics", "POST", 405),
            ("/metrics", "DELETE", 405),
        ):
            with self.subTest(path=path, method=method):
                self.assertEqual(self.ask(where, path, method)[0].status, status)
        self.assertEqual(self.ask(where, method="PUT")[0].getheader("Allow"), "GET, HEAD")
        for words, packed in (("gzip", True), ("br;q=1.0, gzip;q=0.8", True), ("gzip;q=0", False), ("identity", False)):
            response, body = self.ask(where, **{"Accept-Encoding": words})
            self.assertEqual(response.getheader("Content-Encoding") == "gzip", packed, words)
            self.assertIn("hakmem_export_processes", families((gzip.decompress(body) if packed else body).decode()))

    def raw(self, where: tuple[str, int], data: bytes) -> bytes:
        """What comes back of bytes that need be no request."""
        with socket.create_connection(where, SECONDS) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def test_what_is_no_request(self) -> None:
        where = self.export()
        for data, begin in (
            (b"", b""),
            (b"GET /metrics HTTP/1.1\r\n", b""),
            (b"\r\n\r\n", b"HTTP/1.1 400 "),
            (b"GET /metrics\r\n\r\n", b"HTTP/1.1 400 "),
            (b"GET /metrics HTTP/2.0\r\n\r\n", b"HTTP/1.1 400 "),
            (b"GET http://[/metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
            (b"\x16\x03\x01\x00\xff\xfe\r\n\r\n", b"HTTP/1.1 400 "),
            (b"GET /metrics HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 "),
            (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"HTTP/1.1 431 "),
            (b"POST /metrics HTTP/1.1\r\n\r\n" + b"x" * 20_000_000, b"HTTP/1.1 405 "),
        ):
            with self.subTest(data[:40]):
                said = self.raw(where, data)
                self.assertEqual(said[: len(begin)], begin)
                self.assertTrue(begin or not said, said)
        self.assertEqual(self.ask(where)[0].status, 200)
        self.end(signal.SIGTERM)

    def test_an_address_that_cannot_be_printed_is_no_place_that_is_taken(self) -> None:
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [COMMAND, "export", "--listen=127.0.0.1:0"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left on device", done.stderr)
        self.assertNotIn("cannot listen", done.stderr)

    def test_a_place_that_is_taken(self) -> None:
        host, port = self.export()
        self.refuse(
            1, f"cannot listen at {host}:{port}: another program listens there", "export", f"--listen={host}:{port}"
        )
        self.refuse(1, "cannot listen at 192.0.2.1:0", "export", "--listen=192.0.2.1:0")

    def test_wrong_places(self) -> None:
        for text in ("", "9187", ":9187", "127.0.0.1", "127.0.0.1:65536", "::1:9187", "[::1]", "a b:1", "127.0.0.1:-1"):
            self.refuse(2, "is not HOST:PORT", "export", f"--listen={text}")

    def test_hosts_that_there_cannot_be(self) -> None:
        names = ("a..b", ".", ".a", "a" * 64, f"{'a' * 64}.b", "\udcff", "\u00fc..b")
        for host in (*names, "[::::]", "[1.2.3.4]", "[a]", "[12345::]"):
            with self.subTest(host):
                with self.assertRaises(argparse.ArgumentTypeError) as refused:
                    export._listen(f"{host}:9187")  # pylint: disable=protected-access
                self.assertIn(" is not HOST:PORT, as 127.0.0.1:9187 ", str(refused.exception))
                self.assertTrue(str(refused.exception).isprintable())
        self.refuse(2, "'a..b:9187' is not HOST:PORT", "export", "--listen=a..b:9187")

    def test_hosts_that_there_may_be(self) -> None:
        for text in ("localhost:0", "a.b.:1", "\u00fc.a:1", "[::1]:65535"):
            found = export._listen(text)  # pylint: disable=protected-access
            self.assertEqual(found.host, text.rpartition(":")[0].strip("[]"))


class SlowTest(unittest.IsolatedAsyncioTestCase):
    """The server within this process."""

    async def asyncSetUp(self) -> None:
        # Else the loop says on standard error what took it a tenth of a second, as all does on a machine that is busy.
        asyncio.get_running_loop().slow_callback_duration = float("inf")

    async def start(self, make: Callable[[], str]) -> tuple[str, int]:
        place: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        server = web.Server(web.Page("/metrics", "text/plain", make))
        task = asyncio.create_task(server.run("127.0.0.1", 0, lambda names: place.set_result(names[0])))

        async def stop() -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await task

        self.addAsyncCleanup(stop)
        host, _, port = (await place).rpartition(":")
        return host, int(port)

    async def expect_left(self, reader: asyncio.StreamReader) -> None:
        """The server closes the connection, before or after it has read what was written."""
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(await asyncio.wait_for(reader.read(), SECONDS), b"")

    async def test_who_never_ends_the_request_is_left(self) -> None:
        with mock.patch.object(web, "SECONDS_MOST", 0.2):
            reader, writer = await asyncio.open_connection(*await self.start(lambda: "x"))
            writer.write(b"GET /metrics HTTP/1.1\r\n")
            await self.expect_left(reader)
            writer.close()

    async def test_who_never_reads_the_answer_is_left(self) -> None:
        with mock.patch.object(web, "SECONDS_MOST", 0.2):
            where = await self.start(lambda: "x" * 50_000_000)
            sock = socket.create_connection(where)
            self.addCleanup(sock.close)
            sock.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")

            async def left() -> None:
                while len(asyncio.all_tasks()) <= before:
                    await asyncio.sleep(0)
                while len(asyncio.all_tasks()) > before:
                    await asyncio.sleep(0.01)

            before = len(asyncio.all_tasks()) + 1  # and the one that looks
            await asyncio.wait_for(left(), SECONDS)

    async def ask(self, where: tuple[str, int]) -> bytes:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        try:
            return await reader.read()
        finally:
            writer.close()

    async def test_who_asks_at_the_same_time_gets_the_same_page(self) -> None:
        made: list[int] = []

        def make() -> str:
            made.append(1)
            return f"page {len(made)}"

        with mock.patch.object(web, "FRESH_SECONDS", 1e9):
            where = await self.start(make)
            answers = await asyncio.gather(*(self.ask(where) for _ in range(web.CONNECTIONS_MOST - 1)))
        self.assertEqual({answer.rpartition(b"\r\n")[2] for answer in answers}, {b"page 1"})
        with mock.patch.object(web, "FRESH_SECONDS", 0):
            self.assertIn(b"page 2", await self.ask(where))

    async def test_connections_that_say_nothing_keep_nobody_out(self) -> None:
        with mock.patch.object(web, "SECONDS_MOST", 1e9):
            where = await self.start(lambda: "page")
            silent = [await asyncio.open_connection(*where) for _ in range(2 * web.CONNECTIONS_MOST)]
            for _, writer in silent:
                writer.write(b"GET /met")
            self.assertIn(b"page", await self.ask(where))
            # The oldest had to go, and no others than had to.
            for reader, _ in silent[: web.CONNECTIONS_MOST]:
                await self.expect_left(reader)
            self.assertFalse(silent[-1][0].at_eof())
            for _, writer in silent:
                writer.close()

    async def test_a_page_that_could_not_be_made_is_tried_again(self) -> None:
        made: list[int] = []

        def make() -> str:
            made.append(1)
            if len(made) == 1:
                raise ValueError("no luck")
            return "page"

        where = await self.start(make)
        with mock.patch("sys.stderr", io.StringIO()) as said:
            self.assertIn(b"HTTP/1.1 500 ", await self.ask(where))
        self.assertEqual(said.getvalue(), "hakmem export: ValueError: no luck\n")
        self.assertIn(b"\r\n\r\npage", await self.ask(where))


if __name__ == "__main__":
    unittest.main()
