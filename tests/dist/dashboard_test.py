# SPDX-License-Identifier: MIT
"""A real Prometheus scrapes `hakmem export`, and answers each query of the dashboard that is made for Grafana.

Prometheus keeps what it has in the test's folder, listens on the loopback alone, and is ended by its number.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tools.cli.observe_case import COMMAND, SECONDS, ObserveCase

_CONFIGURATION = """\
global:
  scrape_interval: 2s
  scrape_timeout: 2s
scrape_configs:
  - job_name: hakmem
    static_configs:
      - targets: ["{target}"]
"""

# Where there is no answer after so many good ones there is none.
_SCRAPES_MOST = 20

# What stands for Grafana's own variables.
_VALUES = {"$instance": ".*", "$command": "observed", "$pid": ".*", "$__rate_interval": "10m", "[5m]": "[10m]"}


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise AssertionError(f"{name} is not installed; tools/setup --tests does that")
    return found


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class DashboardTest(ObserveCase):
    def setUp(self) -> None:
        self.dashboard: dict[str, Any] = json.loads(Path(DASHBOARD).read_text(encoding="utf-8"))
        self.process = self.observed("load", "2")
        line = [COMMAND, "export", "--listen=127.0.0.1:0"]
        self.exporter = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.exporter.communicate)
        self.addCleanup(self.exporter.kill)
        self.url = self.line_of(self.exporter)

    def expressions(self) -> list[str]:
        return [target["expr"] for panel in self.dashboard["panels"] for target in panel["targets"]]

    def exported(self) -> str:
        with urllib.request.urlopen(self.url, timeout=SECONDS) as response:
            return str(response.read().decode("utf-8"))

    def start_prometheus(self) -> str:
        """Its address."""
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        configuration = Path(scratch.name) / "prometheus.yml"
        target = urllib.parse.urlsplit(self.url).netloc
        configuration.write_text(_CONFIGURATION.format(target=target), encoding="ascii")
        address = f"127.0.0.1:{_free_port()}"
        log = (Path(scratch.name) / "log").open("w+", encoding="utf-8")
        self.addCleanup(log.close)
        prometheus = subprocess.Popen(
            [
                _program("prometheus"),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={scratch.name}/data",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )

        def end() -> None:
            prometheus.kill()
            prometheus.wait()

        self.addCleanup(end)
        self.prometheus, self.log = prometheus, log
        return f"http://{address}"

    def logged(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def ask(self, expression: str) -> list[dict[str, Any]]:
        url = f"{self.address}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as response:
                found = json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode('utf-8', 'replace')}") from None
        self.assertEqual(found["status"], "success")
        result: list[dict[str, Any]] = found["data"]["result"]
        return result

    def answer(self, expression: str) -> list[dict[str, Any]]:
        """The same. After a scrape that took too long there is nothing until the next, which may take too long as well."""
        found = self.ask(expression)
        for _ in range(_SCRAPES_MOST):
            if found:
                break
            self.until(lambda: self.ask("up == 1"), "scraped")
            found = self.ask(expression)
        return found

    def is_ready(self) -> bool:
        """Until then it listens nowhere, or answers that it is not."""
        self.assertIsNone(self.prometheus.poll(), self.logged())
        try:
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=SECONDS):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def test_prometheus_answers_every_query(self) -> None:
        self.address = self.start_prometheus()
        own = f'{{command="observed",pid="{self.process.pid}"}}'
        self.until(self.is_ready, "ready")
        self.until(lambda: self.ask(f"rate(hakmem_allocations_total{own}[10m])"), "two scrapes")
        (live,) = self.answer(f"sum(hakmem_live_blocks{own})")
        self.assertGreater(float(live["value"][1]), 0)
        for expression in self.expressions():
            for name, value in _VALUES.items():
                expression = expression.replace(name, value)
            with self.subTest(expression):
                self.assertNotIn("$", expression)
                self.assertTrue(self.answer(expression))
        for variable in self.dashboard["templating"]["list"][1:]:
            metric, label = re.findall(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"])[0]
            self.assertTrue(all(one["metric"].get(label) for one in self.ask(metric)), variable["name"])
        self.assertNotIn("level=error", self.logged())

    def test_prometheus_own_check_has_no_complaint(self) -> None:
        done = subprocess.run(
            [_program("promtool"), "check", "metrics"],
            input=self.exported(),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_every_metric_that_is_named_is_exported(self) -> None:
        text = self.exported()
        counters = set(re.findall(r"(?m)^# TYPE (\w+) counter$", text))
        exported = counters | set(re.findall(r"(?m)^# TYPE (\w+) gauge$", text))
        variables = [one["query"]["query"] for one in self.dashboard["templating"]["list"][1:]]
        named = {name for query in [*self.expressions(), *variables] for name in re.findall(r"\bhakmem_\w+", query)}
        self.assertGreater(len(named), 15)
        self.assertEqual(named - exported, set())
        for expression in self.expressions():
            rated = set(re.findall(r"rate\((\w+)", expression))
            self.assertEqual(rated, set(re.findall(r"hakmem_\w+", expression)) & counters, expression)

    def test_panels_lie_beside_each_other(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            for x in range(place["x"], place["x"] + place["w"]):
                self.assertLess(x, 24)
                self.assertNotIn((x, place["y"]), taken)
                taken.add((x, place["y"]))
        numbers = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(numbers), len(set(numbers)))


if __name__ == "__main__":
    DASHBOARD = sys.argv.pop(1)
    unittest.main()
