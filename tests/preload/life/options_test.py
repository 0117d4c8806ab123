# SPDX-License-Identifier: MIT
"""Options of the environment, as a user meets them: the list, warnings, defaults.

Which options there are is read from the list itself; the unknown option's warning names them a second time.
"""

import re
import signal
import unittest

from tests.preload.life import run
from tests.preload.life.case import LifeTest

HELP = re.compile(r"hakmem: option: (HAKMEM_[A-Z_]+) \((.+), default (\S+)\): (\S.*)")
KNOWN = re.compile(r"known are (.+); HAKMEM_HELP=1 explains them")

RAN_ON = [{"ran": "on"}]

# Values that each option refuses, of the options whose default a program can see.
MALFORMED = {
    "HAKMEM_HELP": ("", "2", "yes", "01", " 1"),
    "HAKMEM_THP": ("", "always", "AUTO", "1", "auto "),
    "HAKMEM_LEAKS": ("", "2", "yes", "01"),
    "HAKMEM_NUMA": ("", "2", "auto", "01"),
    "HAKMEM_PROFILE": ("", ""),
    "HAKMEM_PROFILE_RATE": ("", "0", "-1", "512K", "1099511627777"),
    "HAKMEM_ON_MISUSE": ("", "crash", "ABORT", "abort ", "abort,report"),
    "HAKMEM_PUBLISH": ("", "2", "yes", "10"),
    "HAKMEM_STATS": ("", "xml", "TEXT", "text:", "json,text", "tex", "textt"),
    "HAKMEM_PURGE_THREAD": ("", "2", "yes", "AUTO", "auto "),
    "HAKMEM_PURGE_DELAY_MS": (
        "",
        "-",
        "-2",
        "3600001",
        "1.5",
        "1s",
        " 5",
        "5 ",
        "+5",
        "0x10",
        "99999999999999999999",
        "-99999999999999999999",
    ),
}

UNKNOWN = ("HAKMEM_NO_SUCH_OPTION", "HAKMEM_", "HAKMEM_PURGE_DELAY", "HAKMEM_PURGE_DELAY_MS_", "HAKMEM_help")

# Not hakmem's to judge.
FOREIGN = ("HAKMEM", "hakmem_help", "XHAKMEM_HELP", "LIBHAKMEM_HELP")


class OptionsTest(LifeTest):
    def lines_on_stderr(self, variables: dict[str, str]) -> list[str]:
        """Of a program that runs on whatever the options say."""
        ended = run.program("options", "run", variables=variables)
        self.assertEqual((ended.status, ended.allocator(), ended.lines()), (0, "hakmem", RAN_ON))
        return ended.stderr.splitlines()

    def listed(self) -> list[str]:
        lines = self.lines_on_stderr({"HAKMEM_HELP": "1"})
        found = [match[1] for line in lines if (match := HELP.fullmatch(line))]
        self.assertEqual(len(found), len(lines), lines)
        return found

    def test_list_names_every_option_once(self) -> None:
        listed = self.listed()
        self.assertEqual(listed, sorted(set(listed)))
        self.assertLessEqual(set(MALFORMED), set(listed))
        (warning,) = self.lines_on_stderr({"HAKMEM_NO_SUCH_OPTION": "1"})
        self.assertEqual(KNOWN.findall(warning)[0].split(", "), listed)

    def test_nothing_is_said_without_options(self) -> None:
        self.assertEqual(self.lines_on_stderr({}), [])
        self.assertEqual(self.lines_on_stderr({"HAKMEM_HELP": "0"}), [])
        self.assertEqual(self.lines_on_stderr(dict.fromkeys(FOREIGN, "1")), [])

    def test_unknown_option_gives_one_line(self) -> None:
        for name in UNKNOWN:
            for value in ("", "1"):
                with self.subTest(name, value=value):
                    (warning,) = self.lines_on_stderr({name: value})
                    self.assertTrue(warning.startswith(f"hakmem: warning: {name}={value}: no such option; "), warning)

    def test_malformed_value_gives_one_line_that_says_what_is_allowed(self) -> None:
        for name, values in MALFORMED.items():
            for value in values:
                with self.subTest(name, value=value):
                    (warning,) = self.lines_on_stderr({name: value})
                    self.assertRegex(
                        warning,
                        re.escape(f"hakmem: warning: {name}={value}: value not allowed, the default holds; allowed: ")
                        + r"\S.*, default \S+",
                    )

    def test_each_wrong_option_gives_its_own_line(self) -> None:
        wrong = {**dict.fromkeys(UNKNOWN, "1"), **{name: values[1] for name, values in MALFORMED.items()}}
        warnings = self.lines_on_stderr(wrong)
        self.assertEqual(
            sorted(warning.split(":")[2].strip() for warning in warnings),
            sorted(f"{name}={value}" for name, value in wrong.items()),
        )

    def test_strange_text_does_not_break_the_line(self) -> None:
        (warning,) = self.lines_on_stderr({"HAKMEM_NO_SUCH_OPTION": "a\nb\x1b[31m" + "x" * 5000})
        self.assertTrue(warning.isprintable(), warning)
        self.assertLess(len(warning), 500)


class DefaultTest(LifeTest):
    """What holds where nothing, or nothing allowed, was said."""

    SAYINGS: tuple[dict[str, str], ...] = ({}, {"HAKMEM_PURGE_DELAY_MS": "soon"}, {"HAKMEM_PURGE_DELAY_MS": "-2"})

    def decay(self, variables: dict[str, str], watch: str = "decay") -> dict[str, int]:
        # The program sleeps, and has one thread.
        ended = run.program("options", watch, variables={**variables, "HAKMEM_PURGE_THREAD": "1"})
        self.assertEqual((ended.status, ended.allocator()), (0, "hakmem"))
        (report,) = ended.lines()
        return report

    def test_memory_goes_back_neither_at_once_nor_never(self) -> None:
        for variables in self.SAYINGS:
            with self.subTest(variables):
                report = self.decay(variables)
                self.assertGreaterEqual(report["at_once"], 8 * run.MIB)
                self.assertLess(report["later"], run.MIB)

    def test_at_once_where_so_wanted(self) -> None:
        self.assertLess(self.decay({"HAKMEM_PURGE_DELAY_MS": "0"}, "keep")["at_once"], run.MIB)

    def test_misuse_aborts(self) -> None:
        for variables, status, lines in (
            ({}, -signal.SIGABRT, 1),
            ({"HAKMEM_ON_MISUSE": "warn"}, -signal.SIGABRT, 2),
            ({"HAKMEM_ON_MISUSE": "report"}, 0, 1),
            ({"HAKMEM_ON_MISUSE": "ignore"}, 0, 0),
        ):
            with self.subTest(variables):
                ended = run.program("options", "misuse", variables=variables)
                self.assertEqual((ended.status, ended.allocator()), (status, "hakmem"))
                self.assertEqual(len(ended.stderr.splitlines()), lines)
                self.assertEqual(ended.lines(), [{"went": "on"}] if status == 0 else [])


if __name__ == "__main__":
    unittest.main()
