# SPDX-License-Identifier: MIT
"""The reader of hakmem.h, on headers that are small enough to say what it has to find."""

import sys
import unittest
from pathlib import Path

# Run as a plain script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tools.dist import header_doc, man_page  # noqa: E402

_HEADER = """/* A title.
 *
 * A second paragraph
 * in two lines. */
extern "C" {
#endif
%s
#ifdef __cplusplus
}
#endif
"""


def sections(body: str) -> tuple[header_doc.Section, ...]:
    return header_doc.parse(_HEADER % body).sections


class HeaderDocTest(unittest.TestCase):
    def test_text_at_the_top(self) -> None:
        parsed = header_doc.parse(_HEADER % "/* ---- One ---- */\n")
        self.assertEqual(parsed.text, "A title.\n\nA second paragraph in two lines.")

    def test_sections_and_stanzas(self) -> None:
        first, second = sections(
            """
/* ---- One ---- */

/* Says this. */
HAK_API void *hak_a(size_t size,
                    const void *site);
HAK_API void hak_b(void);

/* Fields. */
struct hak_s {
    int a; /* with a comment */

    int b;
};

/* ---- Two ---- */

HAK_API int hak_c(int x);
"""
        )
        self.assertEqual((first.title, second.title), ("One", "Two"))
        functions, struct = first.stanzas
        self.assertEqual(functions.text, "Says this.")
        self.assertEqual(
            functions.functions,
            (
                header_doc.Function("void *", "hak_a", ("size_t size", "const void *site")),
                header_doc.Function("void", "hak_b", ("void",)),
            ),
        )
        self.assertEqual(functions.types, "")
        self.assertEqual(struct.text, "Fields.")
        self.assertEqual(struct.types, "struct hak_s {\n    int a; /* with a comment */\n\n    int b;\n};")
        self.assertEqual(second.stanzas[0].functions[0].name, "hak_c")

    def test_pointers_to_functions(self) -> None:
        (section,) = sections(
            """
/* ---- One ---- */

HAK_API int hak_walk(int (*visit)(void *block, size_t size), void *context);
"""
        )
        self.assertEqual(
            section.stanzas[0].functions[0].parameters, ("int (*visit)(void *block, size_t size)", "void *context")
        )

    def test_what_it_cannot_read_is_an_error(self) -> None:
        for body, words in {
            "\n/* ---- One ---- */\n\nHAK_API int hak_variable;\n": "'HAK_API int hak_variable;' is no function",
            "\nHAK_API int hak_c(int x);\n": "no section",
        }.items():
            with self.subTest(words), self.assertRaisesRegex(header_doc.HeaderError, words):
                sections(body)
        with self.assertRaisesRegex(header_doc.HeaderError, "no comment at the top"):
            header_doc.parse("int x;")


class ProseTest(unittest.TestCase):
    def test_sentences_begin_lines(self) -> None:
        self.assertEqual(man_page.prose("One. Two: a.b! Three"), "One.\nTwo: a.b!\nThree")
        self.assertEqual(man_page.prose("One.\n\nTwo."), "One.\n.Pp\nTwo.")

    def test_nothing_is_a_request(self) -> None:
        self.assertEqual(man_page.prose(".so is one"), "\\&.so is one")
        self.assertEqual(man_page.prose("'tis"), "\\&'tis")
        self.assertEqual(man_page.prose("a\\b -1 hak_f() `x`"), "a\\eb \\-1 hak_f\\&() \\(lqx\\(rq")

    def test_wide_declarations_have_their_comments_above(self) -> None:
        wide = "struct s {\n    int a; /* short */\n    int b; /* " + "word " * 14 + "*/\n};"
        self.assertEqual(
            man_page.literal(wide),
            "\n".join(
                [
                    "struct s {",
                    "    /* short */",
                    "    int a;",
                    "    /* " + "word " * 11 + "word",
                    "       word word */",
                    "    int b;",
                    "};",
                ]
            ),
        )

    def test_lines_that_are_no_option_are_refused(self) -> None:
        with self.assertRaisesRegex(man_page.Refusal, "printed nothing"):
            man_page.options_of("")
        with self.assertRaisesRegex(man_page.Refusal, "'hakmem: warning: x' is no line"):
            man_page.options_of("hakmem: option: HAKMEM_A (1): b\nhakmem: warning: x\n")


if __name__ == "__main__":
    unittest.main()
