# SPDX-License-Identifier: MIT
"""What libhakmem.so shows to the dynamic linker: names, needs, thread-local storage, relocations; needs and relocations of
the guard builds as well."""

import re
import subprocess
import unittest

from tests.preload import preloaded

LIBRARY = "hakmem/preload/libhakmem.so"
EXPORTS = "tests/preload/surface/exports.txt"

# A library that is opened late gets its thread-local storage from what the linker keeps for such: 1,664 bytes by
# default in glibc 2.36, shared with every other library that asks for the same.
TLS_BYTES_MAX = 1536


def lines_of(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def exported(path: str) -> set[str]:
    """Names that others may bind to, as "name" or, with a version, "name@VERSION"."""
    listed = (line.split() for line in lines_of("nm", "-D", "--defined-only", "--with-symbol-versions", path))
    return {fields[-1] for fields in listed if fields[-2].isupper() or fields[-2] in "iuvw"}


def system_library(name: str) -> str:
    """Path of a library of the system, as the linker's cache has it."""
    for line in lines_of("/sbin/ldconfig", "-p"):
        if line.split()[0] == name and ("x86-64" in line or "AArch64" in line):
            return line.split()[-1]
    raise FileNotFoundError(name)


class Exports(unittest.TestCase):
    def test_names_are_those_of_the_list_without_versions(self) -> None:
        with open(EXPORTS, encoding="ascii") as file:
            expected = set(file.read().split())
        self.assertEqual(sorted(exported(LIBRARY)), sorted(expected))

    def test_list_is_sorted(self) -> None:
        with open(EXPORTS, encoding="ascii") as file:
            names = file.read().split()
        self.assertEqual(names, sorted(set(names)))

    def test_nothing_of_malloc_is_left_to_libc(self) -> None:
        of_libc = {name.split("@")[0] for name in exported(system_library("libc.so.6"))}
        family = {name for name in of_libc if preloaded.FAMILY.fullmatch(name)}
        self.assertGreaterEqual(len(family), 28)
        self.assertEqual(family - exported(LIBRARY), set())

    def test_no_operator_is_left_to_the_cxx_runtime(self) -> None:
        of_runtime = {name.split("@")[0] for name in exported(system_library("libstdc++.so.6"))}
        operators = {name for name in of_runtime if preloaded.FAMILY.fullmatch(name)}
        self.assertEqual(len(operators), 20)
        self.assertEqual(operators - exported(LIBRARY), set())


class Image(unittest.TestCase):
    library = LIBRARY
    dynamic: list[str]
    segments: list[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.dynamic = lines_of("readelf", "--wide", "--dynamic", cls.library)
        cls.segments = lines_of("readelf", "--wide", "--program-headers", cls.library)

    def flags(self) -> set[str]:
        return {
            flag
            for line in self.dynamic
            if re.search(r"\(FLAGS(_1)?\)", line)
            for flag in re.sub(r"^.*\)\s*(Flags:)?", "", line).split()
        }

    def test_needs_libc_only(self) -> None:
        needed = {name for line in self.dynamic if "(NEEDED)" in line for name in re.findall(r"\[(.*)\]", line)}
        self.assertIn("libc.so.6", needed)
        self.assertEqual({name for name in needed if not re.fullmatch(r"(libc|ld-linux-\S+)\.so\.\d+", name)}, set())

    def test_is_bound_and_initialised_first_and_never_unloaded(self) -> None:
        self.assertLessEqual({"NOW", "NODELETE", "INITFIRST"}, self.flags())

    def test_name_is_that_of_the_file_with_a_number(self) -> None:
        self.assertRegex(
            next(line for line in self.dynamic if "(SONAME)" in line), r"\[libhakmem\.so\.(0\.\d+|[1-9]\d*)\]"
        )

    def test_code_is_not_relocated(self) -> None:
        self.assertNotIn("TEXTREL", self.flags())
        self.assertFalse([line for line in self.dynamic if "(TEXTREL)" in line])
        for line in self.segments:
            if line.split()[:1] == ["LOAD"]:
                self.assertFalse("W" in line and "E" in line.split()[6:-1], line)

    def test_what_was_relocated_is_read_only(self) -> None:
        """Full RELRO: with NOW, which is above, what the linker fills in is protected before any code of the library runs."""
        protected = [line.split() for line in self.segments if "GNU_RELRO" in line]
        self.assertEqual(1, len(protected), self.segments)
        begin, size = int(protected[0][2], 16), int(protected[0][5], 16)
        relocated = {".dynamic", ".got", ".got.plt", ".init_array", ".fini_array", ".data.rel.ro"}
        found = set()
        for line in lines_of("readelf", "--wide", "--sections", self.library):
            fields = re.sub(r"^\s*\[\s*\d+\]", "", line).split()
            if fields and fields[0] in relocated:
                found.add(fields[0])
                address, bytes_ = int(fields[2], 16), int(fields[4], 16)
                self.assertTrue(begin <= address and address + bytes_ <= begin + size, line)
        self.assertLessEqual({".dynamic", ".got", ".init_array"}, found)

    def test_stack_is_not_executable(self) -> None:
        stack = next(line for line in self.segments if "GNU_STACK" in line)
        self.assertNotIn("E", stack.split()[6:-1])

    def test_shadow_stacks_stay_on(self) -> None:
        """The C library has them in a process only if each of its libraries says that it is right under them. Indirect branches
        are not said to be tracked: nothing here is where they may lead."""
        if "X86-64" not in "".join(lines_of("readelf", "--file-header", self.library)):
            raise unittest.SkipTest("shadow stacks are x86-64's")
        notes = "\n".join(lines_of("readelf", "--notes", "--wide", self.library))
        self.assertEqual(["SHSTK"], re.findall(r"x86 feature: ([\w, ]+)", notes), notes)


class GuardImage(Image):
    library = "hakmem/preload/libhakmem-guard.so"


class GuardFullImage(Image):
    library = "hakmem/preload/libhakmem-guard-full.so"


class ThreadLocalStorage(unittest.TestCase):
    def test_is_small_enough_for_a_late_open(self) -> None:
        segments = [line.split() for line in lines_of("readelf", "--wide", "--program-headers", LIBRARY)]
        tls = [fields for fields in segments if fields[:1] == ["TLS"]]
        self.assertEqual(len(tls), 1)
        memory_size = int(tls[0][5], 16)
        self.assertLessEqual(memory_size, TLS_BYTES_MAX)


class FastPath(unittest.TestCase):
    """malloc and free: about 14 instructions, one conditional branch, no call."""

    @classmethod
    def setUpClass(cls) -> None:
        if "x86-64" not in "".join(lines_of("objdump", "-f", LIBRARY)):
            raise unittest.SkipTest("the instructions known here are those of x86-64")

    def instructions(self, name: str) -> list[str]:
        """The function where no conditional branch is taken: up to the first ret or jmp."""
        symbols = [line.split() for line in lines_of("nm", LIBRARY)]
        address = next(int(fields[0], 16) for fields in symbols if len(fields) == 3 and fields[2] == name)
        code = []
        for line in lines_of(
            "objdump",
            "-d",
            "--no-show-raw-insn",
            f"--start-address={address:#x}",
            f"--stop-address={address + 256:#x}",
            LIBRARY,
        ):
            found = re.match(r"\s+[0-9a-f]+:\s+(\S.*)", line)
            if found:
                code.append(found[1])
                if found[1].startswith(("ret", "jmp")):
                    return code
        return self.fail(f"{name} does not end")

    def test_one_branch_and_no_call(self) -> None:
        for name in ["malloc", "free", "free_sized", "free_aligned_sized", "_Znwm", "_ZdlPv", "_ZdlPvSt11align_val_t"]:
            code = self.instructions(name)
            branches = [line for line in code if re.match("j(?!mp)", line)]
            self.assertLessEqual(len(code), 16, (name, code))
            self.assertEqual(len(branches), 1, (name, code))
            self.assertTrue(code[-1].startswith("ret"), (name, code))
            self.assertFalse([line for line in code if line.startswith(("call", "lock", "push"))], (name, code))

    def test_other_operators_are_one_jump(self) -> None:
        for name in ["_Znam", "_ZdaPv", "_ZdlPvm", "_ZdaPvm"]:
            code = self.instructions(name)
            self.assertEqual(len(code), 1, (name, code))


if __name__ == "__main__":
    unittest.main()
