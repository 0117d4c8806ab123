# SPDX-License-Identifier: MIT
"""The Debian package: what dpkg and lintian say of it, its life in a root of its own, and what it is good for there.

dpkg gets a fresh root with an administrative folder of its own, so this needs no privileges and changes no system.
"""

import hashlib
import re
import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.dist import consumer  # noqa: E402

PACKAGE, VERSION = sys.argv[1:3]

# The C library is not installed in the scratch root, and dpkg may be run by anybody and with any PATH.
_FORCE = "--force-not-root,depends,bad-path"


class Root:
    """A root with nothing but dpkg's administrative folder."""

    def __init__(self) -> None:
        self.folder = consumer.scratch_folder() / "root"
        admin = self.folder / "var/lib/dpkg"
        for part in ("info", "updates", "triggers", "parts"):
            (admin / part).mkdir(parents=True)
        for part in ("status", "available"):
            (admin / part).touch()

    def dpkg(self, *arguments: str) -> str:
        return consumer.run(
            "dpkg", f"--root={self.folder}", _FORCE, "--log=/dev/null", *arguments, PATH="/usr/sbin:/usr/bin:/sbin:/bin"
        )

    def files(self) -> set[Path]:
        """Everything outside of dpkg's own folder, relative to the root."""
        own = {Path("var"), Path("var/lib"), Path("var/lib/dpkg")}
        found = {path.relative_to(self.folder) for path in self.folder.rglob("*")}
        return {path for path in found if path not in own and Path("var/lib/dpkg") not in path.parents}


def fields() -> dict[str, str]:
    said = consumer.run("dpkg-deb", "--field", PACKAGE)
    return dict(re.findall(r"^([\w-]+): (.*)$", said, re.MULTILINE))


class DebTest(unittest.TestCase):
    root: Root
    multiarch: str
    usr: Path
    library: Path
    soname: str
    scratch: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.root = Root()
        cls.root.dpkg("--install", PACKAGE)
        cls.multiarch = consumer.run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
        cls.usr = cls.root.folder / "usr"
        cls.library = cls.usr / "lib" / cls.multiarch
        cls.soname = consumer.soname(cls.library / "libhakmem.so")
        cls.scratch = consumer.scratch_folder()

    def test_fields(self) -> None:
        said = fields()
        self.assertEqual(said["Package"], "hakmem")
        self.assertEqual(said["Version"], VERSION)
        self.assertEqual(said["Architecture"], consumer.run("dpkg", "--print-architecture").strip())
        # The libraries want the C library alone, the rest is what the command wants.
        libraries, *command = said["Depends"].split(", ")
        self.assertRegex(libraries, r"^libc6 \(>= [\d.]+\)$")
        self.assertEqual(
            command, ["binutils", "python3 (>= 3.10)", "python3-protobuf", "python3-pyelftools", "python3-rich"]
        )
        self.assertEqual(said["Recommends"], "python3-numpy")

    def test_lintian(self) -> None:
        said = consumer.run(
            "sh",
            "-c",
            'lintian --allow-root --no-cfg --show-overrides "$1" || true',
            "sh",
            PACKAGE,
            HOME=str(self.scratch),
        )
        tags = re.findall(r"^([A-Z]): hakmem: ([\w-]+)", said, re.MULTILINE)
        # Overridden ones are marked O: lintian did look at the package.
        self.assertIn(("O", "package-name-doesnt-match-sonames"), tags, said)
        found = {tag for level, tag in tags if level not in ("O", "N")}
        self.assertEqual(found, set(), said)

    def test_checksums(self) -> None:
        listed = consumer.run("dpkg-deb", "--info", PACKAGE, "md5sums").splitlines()
        sums = {path: digest for digest, path in (line.split("  ", 1) for line in listed)}
        installed = [path for path in self.root.files() if (self.root.folder / path).is_file()]
        files = [path for path in installed if not (self.root.folder / path).is_symlink()]
        self.assertEqual(
            sums, {str(path): hashlib.md5((self.root.folder / path).read_bytes()).hexdigest() for path in files}
        )
        self.assertEqual(self.root.dpkg("--verify", "hakmem"), "")

    def test_the_linkers_cache_is_renewed(self) -> None:
        self.assertEqual(consumer.run("dpkg-deb", "--info", PACKAGE, "triggers"), "activate-noawait ldconfig\n")
        # What ldconfig would make of the folder is what is there: the links need no repair.
        said = consumer.run("/sbin/ldconfig", "-n", "-N", "-v", self.library)
        self.assertIn(f"{self.soname} -> libhakmem.so.{VERSION}\n", said)

    def test_everything_is_owned_by_root(self) -> None:
        listing = consumer.run("dpkg-deb", "--contents", PACKAGE).splitlines()
        self.assertGreater(len(listing), 10)
        self.assertEqual({line.split()[1] for line in listing}, {"root/root"})
        modes = {line.split()[0] for line in listing}
        self.assertEqual(modes, {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"})

    def test_preload(self) -> None:
        program = consumer.compiled(consumer.INDIRECT, "gcc", [], self.scratch / "knows_nothing", "c")
        self.assertTrue(consumer.starts_hakmem(program, LD_PRELOAD=str(self.library / self.soname)))

    def test_preload_the_libraries_with_guard(self) -> None:
        program = consumer.compiled(consumer.INDIRECT, "gcc", [], self.scratch / "knows_nothing_of_guard", "c")
        for name in ("libhakmem-guard.so", "libhakmem-guard-full.so"):
            with self.subTest(name):
                library = self.library / "hakmem" / name
                self.assertTrue(consumer.starts_hakmem(program, LD_PRELOAD=str(library)))

    def test_compile(self) -> None:
        flags = consumer.pkg_config(
            self.library / "pkgconfig",
            "--cflags",
            "--libs",
            PKG_CONFIG_SYSROOT_DIR=str(self.root.folder),
            PKG_CONFIG_ALLOW_SYSTEM_LIBS="1",
            PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1",
        )
        program = consumer.compiled(consumer.OWNED, "gcc", flags, self.scratch / "compiled", "c")
        self.assertIn(self.soname, consumer.needed(program))
        said = consumer.answers(program, LD_LIBRARY_PATH=str(self.library))
        self.assertEqual(said["version"], VERSION)
        self.assertEqual(said["config"], consumer.CONFIG)

    def test_cmake(self) -> None:
        build = self.scratch / "build"
        consumer.run(
            "cmake",
            "-S",
            consumer.SOURCES / "cmake",
            "-B",
            build,
            f"-DCMAKE_PREFIX_PATH={self.usr}",
            f"-DSOURCES={consumer.SOURCES.absolute()}",
        )
        consumer.run("cmake", "--build", build)
        for program in ("c_shared", "c_static"):
            self.assertEqual(consumer.answers(build / program)["version"], VERSION)

    def test_purge_leaves_nothing(self) -> None:
        root = Root()
        self.assertEqual(root.files(), set())
        root.dpkg("--install", PACKAGE)
        self.assertIn(Path("usr/lib", self.multiarch, self.soname), root.files())
        root.dpkg("--purge", "hakmem")
        self.assertEqual(root.files(), set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
