# SPDX-License-Identifier: MIT
"""The tests of the allocator as the BUILD files say: of which sources each is made, how it is linked, how it is run.

BUILD and .bzl files are Python, but for what Bazel defines. They are run with a recorder for each rule, so that no list of
tests stands here that would go out of date.
"""

from __future__ import annotations

import dataclasses
import types
from pathlib import Path
from typing import Any, Callable, Sequence

PACKAGES = ("hakmem/os", "tests/fuzz", "tests/harness", "tests/integration", "tests/stress", "tests/unit")


@dataclasses.dataclass(frozen=True)
class Test:
    label: str  # tests/unit:test_slab
    guard: str  # off, exact, full
    sources: tuple[str, ...]
    link_options: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    files: tuple[str, ...]  # that it reads


class _Anything:
    """What is evaluated and never used."""

    def __call__(self, *_arguments: Any, **_named: Any) -> _Anything:
        return self

    def __getattr__(self, _name: str) -> _Anything:
        return self


class _Label(str):
    def __new__(cls, text: str) -> _Label:
        return super().__new__(cls, text)


@dataclasses.dataclass
class _Target:
    rule: str
    attributes: dict[str, Any]


class BuildFiles:
    def __init__(self, root: Path):
        self._root = root
        self._modules: dict[str, dict[str, Any]] = {}
        self._package = ""
        self.targets: dict[str, _Target] = {}
        for package in PACKAGES:
            self._package = package
            self._run(root / package / "BUILD")

    def _record(self, rule: str) -> Callable[..., None]:
        def add(**attributes: Any) -> None:
            self.targets[f"//{self._package}:{attributes['name']}"] = _Target(rule, attributes)

        return add

    def _run(self, path: Path) -> dict[str, Any]:
        rules = (
            "cc_binary",
            "cc_library",
            "cc_test",
            "filegroup",
            "genrule",
            "py_binary",
            "py_library",
            "py_test",
            "test_suite",
        )
        names: dict[str, Any] = {rule: self._record(rule) for rule in rules}
        names.update(
            native=types.SimpleNamespace(**names),
            exports_files=_Anything(),
            glob=lambda *_patterns, **_named: [],
            package=_Anything(),
            select=lambda choices: choices.get("//conditions:default", []),
            struct=types.SimpleNamespace,
            Label=_Label,
        )
        for one in ("transition", "attr", "aspect", "provider", "testing", "cc_common", "DefaultInfo", "CcInfo"):
            names[one] = _Anything()
        names["rule"] = lambda **attributes: self._record(
            "variant" if "actual" in attributes.get("attrs", {}) and attributes.get("test") else "other"
        )
        names["load"] = lambda label, *wanted, **renamed: names.update(self._loaded(label, wanted, renamed))
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)  # pylint: disable=exec-used
        return names

    def _loaded(self, label: str, wanted: Sequence[str], renamed: dict[str, str]) -> dict[str, Any]:
        pairs = {**{name: name for name in wanted}, **renamed}
        if label.startswith("@"):
            return {name: self._record(original) for name, original in pairs.items()}
        if label.startswith(":"):
            label = f"//{self._package}{label}"
        if label not in self._modules:
            self._modules[label] = self._run(self._root / label.removeprefix("//").replace(":", "/"))
        return {name: self._modules[label][original] for name, original in pairs.items()}

    def _absolute(self, label: str, package: str) -> str:
        if label.startswith(":"):
            return f"//{package}{label}"
        return label if ":" in label else f"{label}:{label.rsplit('/', 1)[-1]}"

    def _collect(self, label: str, sources: dict[str, None], options: dict[str, None]) -> None:
        """Sources and options of a test's own libraries and of the fake; all of the allocator is linked anyhow."""
        target = self.targets.get(label)
        package = label.removeprefix("//").split(":")[0]
        if target is None or (package.startswith("hakmem") and label != "//hakmem/os:fake"):
            return
        attributes = target.attributes
        sources.update({f"{package}/{one}": None for one in attributes.get("srcs", []) if not one.endswith(".h")})
        options.update(dict.fromkeys(attributes.get("linkopts", [])))
        for dependency in attributes.get("deps", []):
            self._collect(self._absolute(dependency, package), sources, options)

    def _test(self, label: str, guard: str, attributes: dict[str, Any]) -> Test:
        sources: dict[str, None] = {}
        options: dict[str, None] = {}
        self._collect(label, sources, options)
        package = label.removeprefix("//").split(":")[0]
        program = self.targets[label].attributes
        data = tuple(f"{package}/{one}" for one in program.get("data", []) if ":" not in one)
        environment = tuple(sorted(attributes.get("env", {}).items()))
        arguments = tuple(attributes.get("args", []))
        return Test(label.removeprefix("//"), guard, tuple(sources), tuple(options), arguments, environment, data)

    def tests(self) -> list[Test]:
        """All that run as shipped or with a guard, but for those that only another kernel or flag is for."""
        found = []
        for name, target in self.targets.items():
            attributes = target.attributes
            package = name.removeprefix("//").split(":")[0]
            if target.rule == "variant" and "p0" in attributes and self._is_shipped(attributes):
                label = self._absolute(attributes["actual"], package)
                found.append(self._test(label, attributes["guard"], attributes))
            elif target.rule == "cc_test" and "manual" not in attributes.get("tags", []):
                found.append(self._test(name, "off", attributes))
        return found

    def _is_shipped(self, attributes: dict[str, Any]) -> bool:
        """All but guard, since the tests of a flipped experiment are told another build than the tool's."""
        shipped = self._modules["//hakmem/flags:flags.bzl"]["SHIPPED"]
        values = {
            name: {True: "on", False: "off"}.get(value, value) for name, value in attributes.items() if name in shipped
        }
        return {**shipped, **values, "guard": ""} == {**shipped, "guard": ""}
