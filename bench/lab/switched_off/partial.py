# SPDX-License-Identifier: MIT
"""Takes a switch's code out of C source: partial evaluation of one name whose value is known.

    if (HAK_P1_BATCHED_STATS) { count(); }              ->
    if (!HAK_P3_SENTINELS && p == NULL) { return; }     ->  if (p == NULL) { return; }
    return HAK_P2_INLINE_FAST_PATH ? hot() : whole();   ->  return whole();

That is for HAK_P1.. = HAK_P2.. = HAK_P3.. = 0. What is left has no trace of the name: a condition that the name alone
decides goes with the statement that it guards, and is never left behind as `if (0)`, which would make any comparison
of what the compiler makes of both trivially true. Only where the name is a plain figure (an index, an initial value)
its value stands in its place. Everything else is refused: the tool knows a few forms and no more. Ends of lines stay,
so that __LINE__ keeps its values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.lab.switched_off.tokens import Kind, NotC, Token, only_lines, tokens

_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = frozenset(_OPEN.values())

# What an expression lies between.
_LEFT_ENDS = frozenset({"(", "[", "{", "}", ";", ",", "?", ":", "return", "="})
_RIGHT_ENDS = frozenset({")", "]", "}", ";", ",", "?", ":"})

# Where the name may be a plain figure: next to these only.
_ARITHMETIC = frozenset({"|", "&", "^", "+", "<<", "~", "(", ")"})

_WITH_CONDITION = frozenset({"if", "for", "while", "switch"})


class Refused(Exception):
    """The name stands where the tool does not know what taking it out means."""


@dataclass(frozen=True)
class _Simplified:
    """A condition after the name was put in: a constant, or the tokens that are left of it."""

    constant: bool | None
    kept: frozenset[int] = frozenset()
    """Indices of tokens, where it is not constant."""


class _Source:
    """The tokens of one source and where they belong together. Indices count all tokens, blanks included."""

    def __init__(self, source: str, name: str, value: bool) -> None:
        self.tokens = tokens(source)
        self.name = name
        self.value = value
        self.texts = [token.text for token in self.tokens]
        self.code = [i for i, token in enumerate(self.tokens) if token.kind not in (Kind.BLANK, Kind.DIRECTIVE)]
        self._place = {index: place for place, index in enumerate(self.code)}
        self.partner = self._partners()

    def _partners(self) -> dict[int, int]:
        """Opening and closing bracket of each pair, either way."""
        result: dict[int, int] = {}
        waiting: list[int] = []
        for i in self.code:
            text = self.texts[i]
            if text in _OPEN:
                waiting.append(i)
            elif text in _CLOSE:
                if not waiting or _OPEN[self.texts[waiting[-1]]] != text:
                    raise NotC(f"line {self.line(i)}: '{text}' closes nothing")
                result[i] = waiting.pop()
                result[result[i]] = i
        if waiting:
            raise NotC(f"line {self.line(waiting[-1])}: '{self.texts[waiting[-1]]}' is never closed")
        return result

    def line(self, index: int) -> int:
        return "".join(self.texts[:index]).count("\n") + 1

    def refuse(self, index: int, why: str) -> Refused:
        return Refused(f"line {self.line(index)}: {self.name}: {why}")

    def text(self, index: int | None) -> str:
        return "" if index is None else self.texts[index]

    def after(self, index: int) -> int | None:
        """The token of code after `index`; None at the end."""
        place = self._place[index] + 1
        return self.code[place] if place < len(self.code) else None

    def before(self, index: int) -> int | None:
        place = self._place[index] - 1
        return self.code[place] if place >= 0 else None

    def between(self, first: int, end: int) -> list[int]:
        """The tokens of code from `first` up to, not including, `end`."""
        return self.code[self._place[first] : self._place[end]]

    # ---- Where an expression begins and ends ---------------------------------------------------------------

    def left_end(self, index: int) -> int:
        """The delimiter before the expression around `index`."""
        at = self.before(index)
        while at is not None and self.texts[at] not in _LEFT_ENDS:
            # What stands in brackets is one operand.
            at = self.before(self.partner[at] if self.texts[at] in _CLOSE else at)
        if at is None:
            raise self.refuse(index, "stands in no expression")
        return at

    def right_end(self, index: int) -> int:
        """The delimiter after the expression around `index`."""
        at = self.after(index)
        while at is not None and self.texts[at] not in _RIGHT_ENDS:
            at = self.after(self.partner[at] if self.texts[at] in _OPEN else at)
        if at is None:
            raise self.refuse(index, "stands in no expression")
        return at

    # ---- Conditions ----------------------------------------------------------------------------------------

    def _split(self, indices: list[int], operator: str) -> list[list[int]]:
        """`indices` cut at `operator` outside of brackets."""
        parts: list[list[int]] = [[]]
        skip_to = -1
        for i in indices:
            if i > skip_to and self.texts[i] == operator:
                parts.append([])
                continue
            if i > skip_to and self.texts[i] in _OPEN:
                skip_to = self.partner[i]
            parts[-1].append(i)
        return parts

    def simplify(self, indices: list[int]) -> _Simplified:
        """The condition that the tokens `indices`, at least one, are."""
        for operator, absorbing in (("||", True), ("&&", False)):
            parts = self._split(indices, operator)
            if not all(parts):
                raise self.refuse(indices[0], "an operand is missing, as far as is understood here")
            if len(parts) > 1:
                return self._simplify_chain(indices, parts, operator, absorbing)
        if not any(self.texts[i] == self.name for i in indices):
            return _Simplified(None, frozenset(indices))
        first, last = indices[0], indices[-1]
        if self.texts[first] == "!":
            inner = self.simplify(indices[1:])
            if inner.constant is None:
                return _Simplified(None, inner.kept | {first})
            return _Simplified(not inner.constant)
        if self.texts[first] == "(" and self.partner[first] == last:
            inner = self.simplify(indices[1:-1])
            return inner if inner.constant is not None else _Simplified(None, inner.kept | {first, last})
        if len(indices) == 1:
            return _Simplified(self.value)
        raise self.refuse(first, "is part of an operand and not a condition of its own")

    def _simplify_chain(
        self, indices: list[int], parts: list[list[int]], operator: str, absorbing: bool
    ) -> _Simplified:
        """Operands of one operator; an operand that is `absorbing` decides the whole of it."""
        kept: list[frozenset[int]] = []
        for part in parts:
            operand = self.simplify(part)
            if operand.constant is None:
                kept.append(operand.kept)
            elif operand.constant == absorbing:
                if kept:
                    raise self.refuse(part[0], "decides a condition whose first operands would still be evaluated")
                return _Simplified(absorbing)
        if not kept:
            return _Simplified(not absorbing)
        operators = [i for i in indices if self.texts[i] == operator and not any(i in part for part in parts)]
        # One operator between each two operands that stay: those right before the later ones.
        for operand in kept[1:]:
            kept[0] |= {max(i for i in operators if i < min(operand))} | operand
        return _Simplified(None, kept[0])

    # ---- Statements ----------------------------------------------------------------------------------------

    def statement_end(self, first: int) -> int:
        """The last token of the statement that begins with `first`."""
        text = self.texts[first]
        if text == "{":
            return self.partner[first]
        if text in _WITH_CONDITION:
            body = self._after_condition(first)
            last = self.statement_end(body)
            if text == "if" and (other := self.else_of(last)) is not None:
                last = self.statement_end(other)
            return last
        if text in ("do", "else", "case", "default"):
            raise self.refuse(first, f"a statement that begins with '{text}' is not known here")
        at: int | None = first
        while at is not None and self.texts[at] != ";":
            at = self.after(self.partner[at] if self.texts[at] in _OPEN else at)
        if at is None:
            raise self.refuse(first, "a statement has no end")
        return at

    def _after_condition(self, keyword: int) -> int:
        opening = self.after(keyword)
        body = self.after(self.partner[opening]) if opening is not None and self.texts[opening] == "(" else None
        if body is None:
            raise self.refuse(keyword, "a condition is not followed by a statement")
        return body

    def else_of(self, last: int) -> int | None:
        """The first token of the statement after the `else` that follows the token `last`."""
        following = self.after(last)
        return self.after(following) if following is not None and self.texts[following] == "else" else None

    # ---- Taking out ----------------------------------------------------------------------------------------

    def drop(self, first: int, last: int) -> None:
        """Takes out the tokens from `first` to `last`, both included, with the blanks between them."""
        for i in range(first, last + 1):
            self.texts[i] = only_lines(self.texts[i])

    def keep_only(self, indices: list[int], kept: frozenset[int]) -> None:
        for i in indices:
            if i not in kept:
                self.texts[i] = only_lines(self.texts[i])

    def decide_if(self, keyword: int, holds: bool) -> None:
        """Leaves of an `if` statement what runs where its condition is `holds`."""
        body = self._after_condition(keyword)
        body_last = self.statement_end(body)
        other = self.else_of(body_last)
        last = body_last if other is None else self.statement_end(other)
        if holds:
            self.drop(keyword, body - 1)
            self.drop(body_last + 1, last)
        elif other is not None:
            self.drop(keyword, other - 1)
        else:
            before = self.before(keyword)
            alone = self.text(before) not in ("{", "}", ";", "else")
            if before is not None and self.texts[before] == "else":
                self.drop(before, keyword - 1)
            self.drop(keyword, last)
            self.texts[keyword] = ";" if alone else ""

    def decide_choice(self, first: int, mark: int, holds: bool) -> None:
        """Leaves one operand of `condition ? one : other`; the condition begins with `first`."""
        depth, at = 0, self.after(mark)
        while at is not None and (depth or self.texts[at] != ":"):
            depth += {"?": 1, ":": -1}.get(self.texts[at], 0)
            at = self.after(self.partner[at] if self.texts[at] in _OPEN else at)
        if at is None:
            raise self.refuse(mark, "a choice has one side only")
        colon = at
        end = self.after(colon)
        depth = 0
        while end is not None and (self.texts[end] not in _RIGHT_ENDS or depth or self.texts[end] == "?"):
            depth += {"?": 1, ":": -1}.get(self.texts[end], 0)
            end = self.after(self.partner[end] if self.texts[end] in _OPEN else end)
        if end is None:
            raise self.refuse(mark, "a choice has no end")
        if holds:
            self.drop(first, mark)
            last = self.before(end)
            assert last is not None
            self.drop(colon, last)
        else:
            self.drop(first, colon)

    def _is_figure(self, indices: list[int]) -> bool:
        """Whether the name is one operand of whole-number arithmetic."""
        return all(self.tokens[i].kind in (Kind.NAME, Kind.NUMBER) or self.texts[i] in _ARITHMETIC for i in indices)

    def take_out(self, index: int) -> None:
        """Takes out the use of the name at `index`, and what depends on it."""
        left, right = self.left_end(index), self.right_end(index)
        # Brackets that only group belong to the expression around them.
        while self.texts[left] == "(" and self.texts[right] == ")" and self._groups(left):
            left, right = self.left_end(left), self.right_end(right)
        first = self.after(left)
        assert first is not None
        indices = self.between(first, right)
        if len(indices) > 1 and self._is_figure(indices):
            self.texts[index] = str(int(self.value))
            return
        simplified = self.simplify(indices)
        opener = self.before(left)
        if simplified.constant is None:
            self.keep_only(indices, simplified.kept)
        elif self.texts[right] == "?":
            self.decide_choice(first, right, simplified.constant)
        elif self.texts[left] == "(" and self.text(opener) == "if":
            assert opener is not None
            self.decide_if(opener, simplified.constant)
        elif self.texts[left] in ("=", "return"):
            self.drop(first, indices[-1])
            self.texts[first] = str(int(simplified.constant))
        else:
            raise self.refuse(index, f"decides what stands between '{self.texts[left]}' and '{self.texts[right]}'")

    def _groups(self, opening: int) -> bool:
        before = self.before(opening)
        if before is None:
            return True
        return self.tokens[before].kind is not Kind.NAME and self.texts[before] not in (")", "]")


# A name, what follows of the directive.
_DEFINE = re.compile(r"(#\s*define\s+\w+(?:\([^)]*\))?)((?:.|\n)*)")
_CONDITION = re.compile(r"#\s*(?:if|elif)\b")


def _directive(text: str, name: str, value: bool) -> str:
    """The directive `text` without the name. What a macro stands for is C; a condition gets the figure."""
    bare = re.compile(rf"\b{name}\b")
    if define := _DEFINE.fullmatch(text):
        # Brackets make an expression of it that ends with the line; they are cut off again.
        body = without(f"({define[2]})", name, value)
        return define[1] + body[1:-1]
    if _CONDITION.match(text):
        text = re.sub(rf"\bdefined\s*(\(\s*{name}\s*\)|{name}\b)", "1", text)
        return bare.sub(str(int(value)), text)
    if text.lstrip("# \t").startswith("error"):
        return text
    raise Refused(f"{name}: stands in {text.splitlines()[0]!r}")


def _uses(token: Token, name: str) -> bool:
    if token.kind is Kind.DIRECTIVE:
        is_text = token.text.lstrip("# \t").startswith("error")
        return not is_text and re.search(rf"\b{name}\b", token.text) is not None
    return token.kind is Kind.NAME and token.text == name


def uses(source: str, name: str) -> int:
    """How often `source` uses `name`, comments and strings apart."""
    return sum(_uses(token, name) for token in tokens(source))


def without(source: str, name: str, value: bool) -> str:
    """`source` as one would write it if `name` were `value` for ever and did not exist.

    Raises Refused where the name is used in a way that the tool does not know, NotC where the source cannot be read.
    """
    before: int | None = None
    while name in source:
        state = _Source(source, name, value)
        places = [i for i, token in enumerate(state.tokens) if _uses(token, name)]
        if not places:
            return source
        if before is not None and len(places) >= before:
            raise Refused(f"{name}: is not taken out of {source!r}")
        before, index = len(places), places[0]
        if state.tokens[index].kind is Kind.DIRECTIVE:
            state.texts[index] = _directive(state.texts[index], name, value)
        else:
            state.take_out(index)
        changed = "".join(state.texts)
        if changed.count("\n") != source.count("\n"):
            raise Refused(f"{name}: lines would move")
        source = changed
    return source
