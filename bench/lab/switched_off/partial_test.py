# SPDX-License-Identifier: MIT
"""Taking a switch out of C: what each form becomes, what is refused, and that the compiled program does the same."""

from __future__ import annotations

import random
import subprocess
import tempfile
import unittest
from pathlib import Path

from bench.lab.switched_off import partial, strip
from bench.lab.switched_off.partial import Refused
from bench.lab.switched_off.tokens import NotC, tokens


def plain(source: str) -> str:
    """Without blanks where they mean nothing."""
    return " ".join(token.text for token in tokens(source) if token.kind.value != "blank")


class FormsTest(unittest.TestCase):
    def becomes(self, source: str, off: str, on: str | None = None) -> None:
        """Asserts what `source` becomes with S = 0 and, where it is given, with S = 1."""
        for value, wanted in ((False, off), (True, on)):
            if wanted is not None:
                found = partial.without(source, "S", value)
                self.assertEqual(plain(found), plain(wanted))
                self.assertEqual(found.count("\n"), source.count("\n"))

    def test_if(self) -> None:
        self.becomes("{ if (S) { a(); } b(); }", "{ b(); }", "{ { a(); } b(); }")
        self.becomes("{ if (!S) { a(); } b(); }", "{ { a(); } b(); }", "{ b(); }")
        self.becomes("{ if (S) a(); else b(); c(); }", "{ b(); c(); }", "{ a(); c(); }")
        self.becomes("{ if (S) { a(); } else { b(); } }", "{ { b(); } }", "{ { a(); } }")
        self.becomes("{ if ((!(S))) a(); }", "{ a(); }", "{ }")

    def test_else_if(self) -> None:
        source = "{ if (x) { a(); } else if (S) { b(); } else { c(); } }"
        self.becomes(source, "{ if (x) { a(); } else { c(); } }", "{ if (x) { a(); } else { b(); } }")
        self.becomes("{ if (x) { a(); } else if (S) { b(); } }", "{ if (x) { a(); } }")

    def test_a_lone_statement_leaves_an_empty_one(self) -> None:
        self.becomes("{ while (x) if (S) a(); b(); }", "{ while (x) ; b(); }", "{ while (x) a(); b(); }")

    def test_conditions(self) -> None:
        self.becomes("{ if (!S && f(x)) { a(); } }", "{ if (f(x)) { a(); } }", "{ }")
        self.becomes("{ if (S && f(x)) { a(); } }", "{ }", "{ if (f(x)) { a(); } }")
        self.becomes("{ if (S || f(x)) { a(); } }", "{ if (f(x)) { a(); } }", "{ { a(); } }")
        self.becomes("{ if (x && !S && y) { a(); } }", "{ if (x && y) { a(); } }")
        self.becomes("{ if (x && (S || y)) { a(); } }", "{ if (x && (y)) { a(); } }")
        self.becomes("{ if ((S && x) || y) { a(); } }", "{ if (y) { a(); } }")
        self.becomes("{ if (LIKELY(!S && x)) { a(); } }", "{ if (LIKELY(x)) { a(); } }")

    def test_operands_in_brackets_before_the_switch(self) -> None:
        self.becomes("{ if (f(x) && !S) { a(); } }", "{ if (f(x)) { a(); } }")
        self.becomes("{ if (t[i] == 1 && (y) && !S) { a(); } }", "{ if (t[i] == 1 && (y)) { a(); } }")
        self.becomes("{ x = f(y, z) && !S; }", "{ x = f(y, z); }")

    def test_choices(self) -> None:
        self.becomes("x = S ? a : b;", "x = b;", "x = a;")
        self.becomes("return !S ? a(1, 2) : b;", "return a(1, 2);", "return b;")
        self.becomes("f(S ? a : b, c);", "f(b, c);", "f(a, c);")
        self.becomes("x = S ? c ? d : e : g;", "x = g;", "x = c ? d : e;")
        self.becomes("x = (S ? a : b);", "x = (b);", "x = (a);")
        self.becomes("x = S && y ? a : b;", "x = b;", "x = y ? a : b;")

    def test_figures(self) -> None:
        self.becomes("x = t[A | S << 1];", "x = t[A | 0 << 1];", "x = t[A | 1 << 1];")
        self.becomes("struct s v = {.f = S};", "struct s v = {.f = 0};", "struct s v = {.f = 1};")
        self.becomes("return S;", "return 0;", "return 1;")

    def test_directives(self) -> None:
        self.becomes("#define X (S ? 1 : 2)\n", "#define X ( 2)\n", "#define X ( 1 )\n")
        self.becomes("#if !defined(S) || (A | S) & ~1\n", "#if !1 || (A | 0) & ~1\n")
        self.becomes('#error "S is wanted"\n', '#error "S is wanted"\n')

    def test_texts_and_comments_stay(self) -> None:
        source = 'f("S"); /* S */ // S\n'
        self.assertEqual(partial.without(source, "S", False), source)

    def test_longer_names_stay(self) -> None:
        source = "if (SS) { S_a(); }"
        self.assertEqual(partial.without(source, "S", False), source)

    def test_nested_uses(self) -> None:
        self.becomes("{ if (S) { if (!S) { a(); } b(); } else { c(S ? 1 : 2); } }", "{ { c(2); } }", "{ { b(); } }")


class RefusalTest(unittest.TestCase):
    def test_what_is_not_known_is_refused(self) -> None:
        for source in (
            "{ while (S) { a(); } }",
            "{ for (; S;) { a(); } }",
            "{ switch (S) { } }",
            "{ if (S == 0) { a(); } }",
            "{ if (LIKELY(S)) { a(); } }",
            "{ if (f() && S) { a(); } }",
            "{ if (f(x) || !S) { a(); } }",
            "{ if ((struct s){1}.x && S) { a(); } }",
            "f(S);",
            "x = y * S;",
            "#ifdef S\n#endif\n",
            "{ if (x) do { a(); } while (S); }",
        ):
            with self.subTest(source=source), self.assertRaises(Refused):
                partial.without(source, "S", False)

    def test_what_is_no_c_is_refused(self) -> None:
        for source in ("f(;", "f)", "{ ` }", '"open'):
            with self.subTest(source=source), self.assertRaises(NotC):
                partial.without(source + " S", "S", False)

    def test_it_never_leaves_a_constant_condition(self) -> None:
        """The value alone must not stand where the compiler would fold it: then the proof would prove nothing."""
        for source in ("{ if (S) { a(); } }", "{ if (S && x) { a(); } }", "x = S ? a : b;"):
            found = plain(partial.without(source, "S", False))
            self.assertNotIn("0", found)


class TokensTest(unittest.TestCase):
    def test_all_characters_come_back(self) -> None:
        source = '#define A(x) \\\n  #x /* a\n b */ + 1\nint a = 0x1f + \'\\\'\'; // x\nchar *s = u8"a\\"b" "c";\n'
        self.assertEqual("".join(token.text for token in tokens(source)), source)


class SameBehaviourTest(unittest.TestCase):
    """Programs made at random: with the switch taken out they print what they print with its value."""

    def condition(self, draw: random.Random, depth: int) -> str:
        form = draw.randrange(6 if depth else 3)
        if form < 2:
            return draw.choice(("S", "!S"))
        if form == 2:
            return draw.choice(("x", "!x", "x > 2", "ODD(x)"))
        left, right = self.condition(draw, depth - 1), self.condition(draw, depth - 1)
        # Operands with the switch stand first: what would be evaluated before it is no business of the tool.
        if "S" not in left:
            left, right = right, left
        return f"({left} {'&&' if form == 3 else '||'} {right})"

    def statement(self, draw: random.Random, depth: int) -> str:
        form = draw.randrange(5 if depth else 2)
        if form == 0:
            return f"say({draw.randrange(1000)});"
        if form == 1:
            return f"say(S ? {draw.randrange(1000)} : x + {draw.randrange(1000)});"
        inner = [self.statement(draw, depth - 1) for _ in range(3)]
        if form == 2:
            return f"if ({self.condition(draw, 2)}) {{ {inner[0]} }}"
        if form == 3:
            return f"if ({self.condition(draw, 2)}) {{ {inner[0]} }} else {{ {inner[1]} {inner[2]} }}"
        return f"for (int i = 0; i < 3; i++) {{ {inner[0]} if ({self.condition(draw, 1)}) {{ {inner[1]} }} }}"

    def program(self, seed: int) -> str:
        """As many functions as the tool takes: what it refuses is drawn again."""
        draw = random.Random(seed)
        functions: list[str] = []
        while len(functions) < 12:
            body = " ".join(self.statement(draw, 3) for _ in range(4))
            function = f"static void f{len(functions)}(int x) {{ {body} }}\n"
            try:
                partial.without(function, "S", False)
                partial.without(function, "S", True)
            except Refused:
                continue
            functions.append(function)
        calls = " ".join(f"f{i}(0); f{i}(1); f{i}(4);" for i in range(len(functions)))
        head = '#include <stdio.h>\n#define ODD(x) ((x) & 1)\nstatic void say(int n) { printf("%d\\n", n); }\n'
        return head + "".join(functions) + f"int main(void) {{ {calls} return 0; }}\n"

    def output(self, source: str, *options: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file, program = Path(folder) / "a.c", Path(folder) / "a"
            file.write_text(source)
            subprocess.run(["gcc", "-w", *options, str(file), "-o", str(program)], check=True)
            return subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout

    def test_random_programs(self) -> None:
        for seed in (1, 2, 3):
            source = self.program(seed)
            for value in (False, True):
                stripped = partial.without(source, "S", value)
                self.assertEqual(partial.uses(stripped, "S"), 0)
                self.assertEqual(self.output(stripped), self.output(source, f"-DS={int(value)}"))


class ControlTest(unittest.TestCase):
    def test_the_variable_stands_in_code_and_macros_only(self) -> None:
        source = "#if S & ~1\n#endif\n#define X (S ? 1 : 2)\nint f(void) { return S; }\n"
        found = strip.with_variable(source, "S")
        self.assertEqual(found.count("hak_switch_of_the_control"), 2)
        self.assertIn("#if S & ~1", found)


if __name__ == "__main__":
    unittest.main()
