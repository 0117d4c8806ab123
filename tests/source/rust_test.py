# SPDX-License-Identifier: MIT
"""The Rust crates: their own tests, by Debian's Cargo without network; and what a build from a checkout says."""

import re
import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.source import unpacked  # noqa: E402

ARCHIVE, VERSION = sys.argv[1:3]

_TESTS = {"what_rust_allocates_is_counted_and_profiled", "tests::structs_are_those_of_the_header"}


class RustTest(unittest.TestCase):
    def test_cargo_runs_every_test(self) -> None:
        source = unpacked.unpacked(ARCHIVE)
        said = unpacked.run(unpacked.documented("Rust"), source)
        self.assertEqual(_TESTS, set(re.findall(r"^test (\S+) \.\.\. ok$", said, re.MULTILINE)), said)
        for crate in ("hakmem", "hakmem-sys"):
            self.assertIn(f"Compiling {crate} v{VERSION} ", said)
        self.assertNotIn("warning", said)

    def test_features_replace_malloc_and_turn_the_guard_on(self) -> None:
        source = unpacked.unpacked(ARCHIVE)
        # One crate: the other's test is that of the struct's layout, which no feature changes.
        said = unpacked.run(
            "cargo test --offline --locked --package hakmem --features replace-malloc,guard-exact",
            source / "bindings/rust",
        )
        self.assertIn("test what_rust_allocates_is_counted_and_profiled ... ok", said)

    def test_a_checkout_says_what_to_do(self) -> None:
        source = unpacked.unpacked(ARCHIVE)
        (source / "bindings/rust/hakmem-sys/amalgamated").unlink()
        with self.assertRaises(unpacked.CommandFailed) as raised:
            unpacked.run("cargo build --offline --locked", source / "bindings/rust")
        self.assertIn("there is no amalgamated/hakmem.c: build from the tarball", str(raised.exception))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
