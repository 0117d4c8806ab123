# SPDX-License-Identifier: MIT
"""Each file that docs/operate.md says is installed is in the Debian package."""

import re
import subprocess
import sys
import unittest

from tests.docs import documents

_PATH = re.compile(r"/usr/(?:lib|bin|share)/[\w./-]*\w")


class Package(unittest.TestCase):
    def test_it_holds_every_file_that_is_named(self) -> None:
        said = subprocess.run(["dpkg-deb", "--contents", PACKAGE], capture_output=True, text=True, check=True).stdout
        held = {line.split()[5].lstrip(".") for line in said.splitlines()}
        text = (documents.checkout() / "docs/operate.md").read_text(encoding="utf-8")
        named = set(_PATH.findall(documents.section(text, "Deploy")))
        self.assertGreater(len(named), 3)
        self.assertEqual(set(), named - held)


if __name__ == "__main__":
    PACKAGE = sys.argv.pop(1)
    unittest.main()
