"""Reads YAML into a model, with errors that name file, line, key, value and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from .base import NAME_PATTERN

T = TypeVar("T", bound="FileModel")
KeyPath = tuple[str | int, ...]
#: A thousand areas of a hundred corners each are well below it.
MAX_VALUES = 200_000


class FileModel(BaseModel):
    """A part of a configuration file: frozen, and a key that it does not know is an error (most are misspelt)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong in a file.

    Attributes:
        file: The file.
        line: From 1.
        key: Dotted path of the key.
        value: What stands there, shortened; empty where the key is missing.
        expected: What should.
    """

    file: Path
    line: int
    key: str
    value: str
    expected: str

    def __str__(self) -> str:
        found = f" is {self.value}" if self.value else ""
        return f"{self.file}:{self.line}: {self.key or 'the file'}{found}: {self.expected}"


class ConfigError(ValueError):
    """A configuration file that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigFile:
    """A YAML file and the lines of its keys."""

    def __init__(self, path: Path) -> None:
        """Reads it.

        Raises:
            ConfigError: It cannot be read, is not YAML, or has a key twice.
        """
        self.path = path
        self._lines: dict[KeyPath, int] = {}
        self._scalars = yaml.SafeLoader("")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
            raise ConfigError([ConfigProblem(path, 1, "", "", f"cannot be read: {reason}")]) from None
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.content: Any = None if node is None else self._construct(node, ())
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError([ConfigProblem(path, line, "", "", f"not YAML: {error.problem or error.context}")]) from None
        except ConfigError:
            raise
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ConfigError([ConfigProblem(path, 1, "", "", f"not YAML: {error}")]) from None

    def _construct(self, node: yaml.Node, path: KeyPath) -> Any:
        if len(self._lines) > MAX_VALUES:
            # A few lines of aliases to aliases are enough for more than fits in memory.
            raise ConfigError(
                [ConfigProblem(self.path, node.start_mark.line + 1, "", "", f"more than {MAX_VALUES:,} values, aliases followed")]
            )
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            value: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                line = key_node.start_mark.line + 1
                if not isinstance(key_node, yaml.ScalarNode):
                    raise ConfigError([self.problem(path, "", "a key is a single word", line)])
                key = self._scalar(key_node)
                if key in value:
                    problem = self.problem((*path, str(key)), "", "stands twice; keep one", line)
                    raise ConfigError([problem])
                value[key] = self._construct(value_node, (*path, str(key)))
                # A block's own line is that of its key, which is what a reader looks for.
                self._lines[(*path, str(key))] = line
            return value
        if isinstance(node, yaml.SequenceNode):
            return [self._construct(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._scalars.construct_object(node, deep=True)
        except ValueError as error:  # a date such as 2026-13-45
            problem = ConfigProblem(self.path, node.start_mark.line + 1, "", _shown(node.value), f"not YAML: {error}")
            raise ConfigError([problem]) from None

    def line(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest enclosing one that is there."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def problem(self, path: KeyPath, value: str, expected: str, line: int | None = None) -> ConfigProblem:
        """What is wrong at a key."""
        dotted = ".".join(str(part) for part in path)
        return ConfigProblem(self.path, line or self.line(path), dotted, value, expected)

    def read(self, model: type[T]) -> T:
        """Validates the file's content.

        Raises:
            ConfigError: With every problem found.
        """
        if not isinstance(self.content, dict):
            raise ConfigError([self.problem((), "", "expected keys and values, such as `site: vieux-port`")])
        try:
            return model.model_validate(self.content, context=self)
        except ValidationError as error:
            raise ConfigError(self._problems(error)) from None

    def _problems(self, error: ValidationError) -> list[ConfigProblem]:
        problems = []
        for each in error.errors(include_url=False):
            kind, context = each["type"], each.get("ctx", {})
            path = self._existing(each["loc"], missing=kind == "missing")
            value = "" if isinstance(each["input"], dict | list) else _shown(each["input"])
            expected = each["msg"].removeprefix("Value error, ")
            if kind == "missing":
                value, expected = "", "required, and missing"
            elif kind == "extra_forbidden":
                value, expected = "", "unknown key; is it misspelt?"
            elif kind == "union_tag_invalid":
                path = (*path, str(context["discriminator"]).strip("'"))
                value, expected = repr(context["tag"]), f"expected one of {context['expected_tags']}"
            elif kind == "union_tag_not_found":
                path = (*path, str(context["discriminator"]).strip("'"))
                expected = "required, and missing"
            elif kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
                expected = "a name has lower-case letters, digits and hyphens, 32 at most, such as quay-edge-2"
            problems.append(self.problem(path, value, expected))
        return problems

    def _existing(self, loc: tuple[str | int, ...], *, missing: bool) -> KeyPath:
        """A validation's location without the names of union members and the like, which stand in no file."""
        path: KeyPath = ()
        for part in loc:
            if (*path, part) in self._lines:
                path = (*path, part)
        return (*path, loc[-1]) if missing else path


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
