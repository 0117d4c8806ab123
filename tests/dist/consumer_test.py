# SPDX-License-Identifier: MIT
"""Programs compiled against the dist tree in a fresh folder: through pkg-config and through CMake, with both compilers,
as C and as C++, with the shared library and with the archive. In each, plain malloc has to be hakmem's."""

import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.dist import consumer  # noqa: E402

ARCHIVE, BAZEL_PROGRAM = sys.argv[1:3]

_EVERYTHING = {"malloc", "large malloc", "strdup", "hak_alloc"}

# What Ubuntu's compilers say by default: libraries that no object file needs are left out.
_AS_NEEDED = "-Wl,--as-needed"


class ConsumerTest(unittest.TestCase):
    prefix: Path
    library: Path
    pkg_config: Path
    soname: str
    scratch: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.prefix = consumer.unpacked(ARCHIVE)
        cls.library = cls.prefix / "lib"
        cls.pkg_config = cls.library / "pkgconfig"
        cls.soname = consumer.soname(cls.library / "libhakmem.so")
        cls.scratch = consumer.scratch_folder()

    def assert_owned(self, program: Path, **environment: str) -> None:
        """All blocks are hakmem's, and the library is the one that the tree says it is."""
        said = consumer.answers(program, **environment)
        version = consumer.pkg_config(self.pkg_config, "--modversion")[0]
        self.assertEqual(said.pop("version"), version)
        self.assertEqual(said.pop("config"), consumer.CONFIG)
        self.assertEqual(said, dict.fromkeys(_EVERYTHING, "hakmem"))

    def test_pkg_config_shared(self) -> None:
        flags = consumer.pkg_config(self.pkg_config, "--cflags", "--libs")
        for compiler in consumer.COMPILERS:
            for language in ("c", "c++"):
                with self.subTest(compiler=compiler, language=language):
                    program = consumer.compiled(
                        consumer.OWNED,
                        compiler,
                        [_AS_NEEDED, *flags],
                        self.scratch / f"shared_{compiler}_{language}",
                        language,
                    )
                    self.assertIn(self.soname, consumer.needed(program))
                    self.assert_owned(program, LD_LIBRARY_PATH=str(self.library))

    def test_pkg_config_static(self) -> None:
        flags = consumer.pkg_config(self.pkg_config, "--static", "--cflags", "--libs")
        for compiler in consumer.COMPILERS:
            for language in ("c", "c++"):
                with self.subTest(compiler=compiler, language=language):
                    program = consumer.compiled(
                        consumer.OWNED,
                        compiler,
                        ["-static", *flags],
                        self.scratch / f"static_{compiler}_{language}",
                        language,
                    )
                    self.assertEqual(consumer.needed(program), set())
                    self.assert_owned(program)

    def test_musl(self) -> None:
        program = self.scratch / "musl"
        include, archive = self.prefix / "include", self.library / "musl/libhakmem.a"
        consumer.run("musl-gcc", "-static", f"-I{include}", consumer.OWNED, archive, "-o", program)
        self.assert_owned(program)
        consumer.run("musl-gcc", f"-I{include}", consumer.OWNED, archive, "-o", program)
        self.assertEqual(consumer.needed(program), {"libc.so"})
        self.assert_owned(program)

    def test_programs_that_know_nothing(self) -> None:
        shared = [_AS_NEEDED, *consumer.pkg_config(self.pkg_config, "--libs")]
        static = ["-static", *consumer.pkg_config(self.pkg_config, "--static", "--libs")]
        for compiler in consumer.COMPILERS:
            for language, source in consumer.UNKNOWING.items():
                with self.subTest(compiler=compiler, language=language):

                    def program(form: str, flags: list[str]) -> Path:
                        return consumer.compiled(
                            source, compiler, flags, self.scratch / f"unknowing_{form}_{compiler}_{language}", language
                        )

                    self.assertTrue(
                        consumer.starts_hakmem(program("shared", shared), LD_LIBRARY_PATH=str(self.library))
                    )
                    self.assertTrue(consumer.starts_hakmem(program("static", static)))
                    # The question itself can be answered with no.
                    self.assertFalse(consumer.starts_hakmem(program("without", [])))

    def test_cmake(self) -> None:
        for compiler, (c_command, cxx_command) in consumer.COMPILERS.items():
            with self.subTest(compiler=compiler):
                build = self.scratch / f"cmake_{compiler}"
                said = consumer.run(
                    "cmake",
                    "-S",
                    consumer.SOURCES / "cmake",
                    "-B",
                    build,
                    f"-DCMAKE_C_COMPILER={c_command}",
                    f"-DCMAKE_CXX_COMPILER={cxx_command}",
                    f"-DCMAKE_PREFIX_PATH={self.prefix}",
                    f"-DSOURCES={consumer.SOURCES.absolute()}",
                    f"-DCMAKE_EXE_LINKER_FLAGS={_AS_NEEDED}",
                )
                version = consumer.pkg_config(self.pkg_config, "--modversion")[0]
                self.assertIn(f"found hakmem {version}\n", said)
                consumer.run("cmake", "--build", build)
                for program in ("c_shared", "cxx_shared", "new_shared", "indirect_shared"):
                    self.assertIn(self.soname, consumer.needed(build / program), program)
                for program in ("c_static", "cxx_static", "new_static", "indirect_static"):
                    self.assertNotIn(self.soname, consumer.needed(build / program), program)
                for program in ("c_shared", "cxx_shared", "c_static", "cxx_static"):
                    self.assert_owned(build / program)
                for program in ("new_shared", "new_static", "indirect_shared", "indirect_static"):
                    self.assertTrue(consumer.starts_hakmem(build / program), program)

    def test_cmake_versions(self) -> None:
        major, minor, patch = consumer.pkg_config(self.pkg_config, "--modversion")[0].split(".")
        suits = {
            f"{major}.{minor}": True,
            f"{major}.{minor}.{patch}": True,
            f"{major}.{minor}.{int(patch) + 1}": False,
            f"{major}.{int(minor) + 1}": False,
            f"{int(major) + 1}.0": False,
        }
        file = self.library / "cmake/hakmem/hakmemConfigVersion.cmake"
        script = self.scratch / "version.cmake"
        script.write_text(f'include("{file}")\nmessage("compatible=${{PACKAGE_VERSION_COMPATIBLE}}")\n')
        for version, expected in suits.items():
            with self.subTest(version):
                parts = version.split(".")
                said = consumer.run(
                    "cmake",
                    f"-DPACKAGE_FIND_VERSION={version}",
                    f"-DPACKAGE_FIND_VERSION_MAJOR={parts[0]}",
                    f"-DPACKAGE_FIND_VERSION_MINOR={parts[1]}",
                    "-P",
                    script,
                )
                self.assertEqual(said, f"compatible={'TRUE' if expected else 'FALSE'}\n")

    def test_bazel_malloc(self) -> None:
        self.assertNotIn(self.soname, consumer.needed(Path(BAZEL_PROGRAM)))
        self.assert_owned(Path(BAZEL_PROGRAM).absolute())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
