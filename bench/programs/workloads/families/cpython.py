# SPDX-License-Identifier: MIT
"""CPython with every object from malloc: a part of its own tests, and a script."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from bench.programs.workloads.errors import expect
from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need, Outcome, Workload

_SCRIPT = Path(__file__).with_name("scripts") / "workload.py"
_PYTHON = "/usr/bin/python3"

# Without this CPython serves small objects from its own allocator, and malloc sees little.
_ENVIRONMENT = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}

# The same tests once more without poll(), and those that race with a clock, which a busy machine loses.
_IGNORED = ("-i", "*NoPoll*", "-i", "test_communicate_timeout*")


class Tests(Workload):
    """Whole test modules, and of the slow ones (which mostly wait) the cases that start processes and threads."""

    name = "python_tests"
    task = "CPython's own tests of containers, strings, garbage collection, threads and processes"
    needs = (Need(_PYTHON, "python3"), Need("/usr/lib/python3.*/test/test_dict.py", "libpython3.11-testsuite"))
    programs = frozenset({"python3*"})
    benchmark = False

    _MODULES = (
        "test_array test_bytes test_collections test_copy test_deque test_dict test_gc test_heapq test_json test_list "
        "test_memoryview test_re test_struct test_userdict"
    ).split()
    _CASES = {
        "test_subprocess": ("test_communicate*", "test_pipe*", "test_preexec*", "test_env", "test_bufsize*"),
        "test_threading": (
            "test_various_ops", "test_dummy*", "test_foreign*", "LockTests", "BarrierTests", "RLockTests",
        ),  # fmt: skip
    }
    # Fewer mean that modules were not found or not run; there are about 2,700.
    _TESTS_MIN = 2_000

    def run(self, session: Session) -> Outcome:
        results: Counter[str] = Counter()
        for number, (modules, cases) in enumerate(
            [(self._MODULES, ()), *(([module], cases) for module, cases in self._CASES.items())]
        ):
            report = session.folder / f"report{number}.xml"
            matches = [argument for case in cases for argument in ("-m", case)]
            done = session.run(
                _PYTHON, "-m", "test", f"--junit-xml={report}", *_IGNORED, *matches, *modules,
                environment=_ENVIRONMENT,
            )  # fmt: skip
            expect(b"Tests result: SUCCESS" in done.stdout, f"{modules} did not report success")
            results += _results(report)
        verdicts = Counter(line.rsplit(" ", 1)[1] for line in results.elements())
        expect(set(verdicts) <= {"passed", "skipped"}, f"not every test passed: {dict(verdicts)}")
        expect(verdicts["passed"] >= self._TESTS_MIN, f"only {verdicts['passed']} tests ran")
        return Outcome({"tests": "\n".join(sorted(results.elements())).encode()})


def _results(report: Path) -> Counter[str]:
    """Each test with its verdict. The times in the report are left out: they differ from run to run."""
    lines: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        verdict = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        lines[f"{case.get('name')} {verdict}"] += 1
    return lines


class Script(Workload):
    """scripts/workload.py, which prints a checksum for each of its parts."""

    name = "python"
    task = "a Python script: JSON, dictionaries, objects in cycles, strings, regular expressions, sorting"
    needs = (Need(_PYTHON, "python3"),)
    programs = frozenset({"python3*"})

    def run(self, session: Session) -> Outcome:
        done = session.run(_PYTHON, str(_SCRIPT.resolve()), "2", environment=_ENVIRONMENT)
        lines = done.stdout.splitlines()
        expect(len(lines) == 6, f"6 parts had to report, {len(lines)} did")
        expect(lines[0] == b"json equal 12000", f"JSON did not survive the round trip: {lines[0]!r}")
        return Outcome({"stdout": done.stdout, "stderr": done.stderr})


WORKLOADS = (Tests(), Script())
