# SPDX-License-Identifier: MIT
"""Shows that every assertion of the harness can fail, and says where and why.

Runs selftest_cases as a child, whole and test by test, and reads its exit status and its XML report.
"""

import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree
from xml.etree.ElementTree import Element

CASES = "tests/harness/selftest_cases"

# Test of the suite Fails -> words of each failure that its report must hold, in order.
EXPECTED = {
    "Expect": ["Expected: 1 > 2"],
    "Eq": ["Expected: 1 == 2\n  left:  1\n  right: 2"],
    "Ne": ["Expected: 7 != 7\n  left:  7\n  right: 7"],
    "Lt": ["left:  18446744073709551615\n  right: -3"],
    "Le": ["Expected: 4 <= 3"],
    "Gt": ["Expected: 3 > 3"],
    "Ge": ["Expected: 3 >= 4"],
    "PtrEq": ["left:  0x10\n  right: (nil)"],
    "StrEq": ["left:  here\n  right: there"],
    "StrEqNull": ["left:  (null)\n  right: there"],
    "AssertTrueReturns": ["Expected: 1 > 2"],
    "EveryFailureIsReported": ["Expected: 1 == 2", "Expected: 3 == 4"],
    "DeathSurvivor": ["Expected: (void)0 dies"],
    "DeathSaysSomethingElse": ['matches "two"\n  signal 6, it said:\none'],
    "DeathSaysItOnTheWrongStream": ['matches "one"\n  exit status 1'],
    "DeathExitsWithZero": ["dies"],
    "ExitOkStatus": ["ends with status 0\n  exit status 5"],
    "ExitOkSignal": ["signal 6, it said:\nlast words"],
    "ExitOkFailureInTheChild": ["Expected: 11 == 12"],
    "ExitOkReturnInTheChild": ["the statement left its test"],
    "IsolatedFails": ["Expected: 21 == 22"],
    "IsolatedDies": ["signal 6"],
    "InThread": ["Expected: index != 2"],
}


def run(*arguments: str) -> tuple[int, dict[tuple[str, str], Element]]:
    """Exit status and {(suite, name): testcase element} of one run."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
        report = os.path.join(folder, "report.xml")
        environment = dict(os.environ)
        environment.pop("TESTBRIDGE_TEST_ONLY", None)
        environment["XML_OUTPUT_FILE"] = report
        done = subprocess.run(
            [CASES, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        root = xml.etree.ElementTree.parse(report).getroot()
        cases = {(case.attrib["classname"], case.attrib["name"]): case for case in root.iter("testcase")}
        return done.returncode, cases


class HarnessSelftest(unittest.TestCase):
    status: int
    cases: dict[tuple[str, str], Element]

    @classmethod
    def setUpClass(cls) -> None:
        cls.status, cls.cases = run()

    def failures(self, suite: str) -> dict[str, list[str]]:
        return {
            name: [failure.attrib["message"] for failure in case.findall("failure")]
            for (its_suite, name), case in self.cases.items()
            if its_suite == suite
        }

    def test_failing_tests_make_the_program_fail(self) -> None:
        self.assertEqual(self.status, 1)

    def test_every_assertion_fails_with_its_words_and_place(self) -> None:
        failures = self.failures("Fails")
        self.assertEqual(sorted(failures), sorted(EXPECTED))
        for name, words in EXPECTED.items():
            with self.subTest(name):
                self.assertEqual(len(failures[name]), len(words), failures[name])
                for message, expected in zip(failures[name], words):
                    self.assertIn(expected, message)
                    self.assertRegex(message, r"^tests/harness/selftest_cases\.c:\d+\n")

    def test_passing_tests_pass(self) -> None:
        passes = self.failures("Passes")
        self.assertGreater(len(passes), 5)
        self.assertEqual({name: said for name, said in passes.items() if said}, {})
        status, cases = run("--gtest_filter=Passes.*:Skips.*")
        self.assertEqual(status, 0)
        self.assertEqual({suite for suite, _ in cases}, {"Passes", "Skips"})

    def test_each_failing_test_fails_alone(self) -> None:
        for name in EXPECTED:
            with self.subTest(name):
                self.assertEqual(run("--gtest_filter=Fails." + name)[0], 1)

    def test_skipped_tests_are_reported_as_skipped(self) -> None:
        for name in ("Skip", "SkipIsolated"):
            case = self.cases[("Skips", name)]
            self.assertEqual(case.get("result"), "skipped")
            self.assertEqual(case.findall("failure"), [])

    def test_what_an_isolated_test_prints_is_passed_on(self) -> None:
        done = subprocess.run(
            [CASES, "--gtest_filter=Passes.Isolated"], stdout=subprocess.PIPE, text=True, timeout=300, check=True
        )
        self.assertEqual(done.stdout.count("\nsaid in a process of its own\n"), 1, done.stdout)

    def test_the_list_names_every_test(self) -> None:
        done = subprocess.run([CASES, "--gtest_list_tests"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertIn("  EveryFailureIsReported\n", done.stdout)

    def test_the_report_has_file_and_line(self) -> None:
        case = self.cases[("Fails", "Expect")]
        self.assertEqual(case.get("file"), "tests/harness/selftest_cases.c")
        self.assertGreater(int(case.attrib["line"]), 1)


if __name__ == "__main__":
    unittest.main()
