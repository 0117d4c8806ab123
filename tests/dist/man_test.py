# SPDX-License-Identifier: MIT
"""The manual pages: clean for both formatters, and equal to what the library exports and says of itself."""

import re
import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.dist import consumer  # noqa: E402

ARCHIVE = sys.argv[1]

# Whether a page that is referred to is installed says nothing of ours.
_NOT_OURS = re.compile(r"STYLE: referenced manual not found|outdated mandoc\.db")

_OPTION = re.compile(r"^hakmem: option: (?P<name>\w+) \((?P<allowed>.*?)\): (?P<meaning>.*)$", re.MULTILINE)


def rendered(page: Path) -> str:
    """The words of a page, each after one blank."""
    text = consumer.run("mandoc", "-T", "ascii", page)
    return " ".join(re.sub(r".\x08", "", text).split())


class ManTest(unittest.TestCase):
    prefix: Path
    man1: Path
    man3: Path
    man7: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.prefix = consumer.unpacked(ARCHIVE)
        cls.man1 = cls.prefix / "share/man/man1/hakmem.1"
        cls.man3 = cls.prefix / "share/man/man3/hakmem.3"
        cls.man7 = cls.prefix / "share/man/man7/hakmem.7"

    def test_mandoc_has_nothing_to_say(self) -> None:
        for page in (self.man1, self.man3, self.man7):
            with self.subTest(page.name):
                # A message of any level makes the exit status other than 0: `|| true` leaves it to the text.
                said = consumer.run("sh", "-c", 'mandoc -T lint "$1" || true', "sh", page)
                self.assertEqual([line for line in said.splitlines() if not _NOT_OURS.search(line)], [])

    def test_groff_has_nothing_to_say(self) -> None:
        for page in (self.man1, self.man3, self.man7):
            with self.subTest(page.name):
                said = consumer.run(
                    "sh",
                    "-c",
                    'man --warnings -E UTF-8 -Tutf8 -Z -l "$1" >"$2"',
                    "sh",
                    page,
                    consumer.scratch_folder() / "formatted",
                    MANWIDTH="80",
                )
                self.assertEqual(said, "")

    def test_functions_are_those_of_the_library(self) -> None:
        text = self.man3.read_text()
        names = consumer.run(
            "nm", "--dynamic", "--defined-only", "--extern-only", "--format=posix", self.prefix / "lib/libhakmem.so"
        )
        exported = sorted(set(re.findall(r"^(hak_\w+) ", names, re.MULTILINE)))
        self.assertGreater(len(exported), 10)
        for macro in (r"\.Nm", r"\.Fn", r"\.It Fn"):
            with self.subTest(macro):
                self.assertEqual(sorted(re.findall(rf"^{macro} (hak_\w+)", text, re.MULTILINE)), exported)

    def test_options_are_those_of_the_library(self) -> None:
        # A program that allocates: the options are read then.
        said = consumer.run("sort", "/dev/null", LD_PRELOAD=self.preload(), HAKMEM_HELP="1")
        options = [match.groupdict() for match in _OPTION.finditer(said)]
        self.assertGreater(len(options), 1)
        listed = re.findall(r"^\.It Ev (\w+)", self.man7.read_text(), re.MULTILINE)
        self.assertEqual(listed, [option["name"] for option in options])
        words = rendered(self.man7)
        for option in options:
            meaning = option["meaning"][0].upper() + option["meaning"][1:]
            allowed = option["allowed"][0].upper() + option["allowed"][1:]
            self.assertIn(f"{option['name']} {meaning}. Allowed: {allowed}.", words)

    def preload(self) -> str:
        """Without the blank of the fresh prefix, which parts the names in LD_PRELOAD."""
        copy = consumer.scratch_folder() / "libhakmem.so"
        copy.write_bytes((self.prefix / "lib/libhakmem.so").read_bytes())
        return str(copy)

    def test_version(self) -> None:
        version = consumer.pkg_config(self.prefix / "lib/pkgconfig", "--modversion")[0]
        for page in (self.man1, self.man3, self.man7):
            self.assertIn(f"This page is about version {version}.", rendered(page))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
