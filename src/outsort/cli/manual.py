"""The help: commands in groups, options in panels with the usual ones first, an example; as wide as the terminal."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import typer
from typer import BadParameter
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.models import ArgumentInfo, OptionInfo

from outsort.errors import in_plain_words
from outsort.reporting.layout import folded

if TYPE_CHECKING:
    from typer import Context

    from outsort.cli.command import Described

#: The groups of commands, in order.
GROUPS = ("Answer", "Train", "Check", "Review", "Serve")
#: The panels of options in order; an option that is in none is among the usual ones, which come first.
PANELS = {
    "Columns": (
        *("text_column", "label_column", "label_map", "line_column", "weight_column", "group_column", "time_column"),
        *("by", "out_of_scope"),
    ),
    "Reading tables": (*("read_as", "encoding", "delimiter", "sheet", "header_row", "no_header", "limit", "on_error"),),
    "Training": ("folds", "clauses", "later", "share", "target_precision", "level", "seed"),
    "Output": ("write_as", "prefix", "safe_for_excel", "plain", "report", "as_json", "force", "resume"),
    "Other": ("strict", "workers", "cluster"),
}
ARGUMENTS, USUAL, PANEL_OF_OTHERS = "Arguments", "Options", "Other"
#: Text in longer lines is hard to read; below the second width, what an option does is under its name, not beside it.
WIDEST, BESIDE_FROM = 100, 72
#: The widest names of options that have their text beside them.
_NAMES = 26
_VALUES = {str: "TEXT", int: "N", float: "X", Path: "PATH"}
#: The commands by name, as `cli.main` registers them.
commands: dict[str, Described] = {}


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command, as the help shows it."""

    name: str
    shown: str
    text: str
    panel: str
    is_required: bool = False


# Typer's own help is a table of fixed columns, which a narrow terminal cuts to pieces.
class Command(TyperCommand):
    """A command with the help of `command_page`, whose messages about values are in plain words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the arguments."""
        try:
            return list(super().parse_args(ctx, args))
        except BadParameter as error:
            error.message = in_plain_words(error.message)
            if isinstance(error.param, TyperArgument) and error.param.name:
                # As the line of usage above it has it, and with what to give.
                error.param_hint = repr(error.param.name.upper())
                error.message = error.message or error.param.help or ""
            raise

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Click's, wherever Typer has them
        """Write the first line of the help, which also comes before an error."""
        formatter.write("\n".join(usage(ctx.command_path, parameters(commands[str(self.name)]))) + "\n")

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the help."""
        found = parameters(commands[str(self.name)])
        others = _others(self, ctx, {of.name for of in found})
        formatter.write("\n".join(command_page(ctx.command_path, commands[str(self.name)], [*found, *others])))


class Group(TyperGroup):
    """The program, whose help lists the commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the help."""
        formatter.write("\n".join(program_page(ctx.command_path, self.help or "", _others(self, ctx, set()))))


def program_page(name: str, text: str, options: Iterable[Parameter]) -> Iterator[str]:
    """Yield the lines of the help of the program."""
    width = terminal_width()
    yield from folded(f"Usage: {name} COMMAND [OPTIONS] ...", width)
    yield ""
    yield from _paragraphs(text, width)
    for group in GROUPS:
        items = [(name, _first(of.text)) for name, of in commands.items() if of.group == group]
        yield from _panel(group, items, width)
    yield from _panel("Options", [(option.shown, option.text) for option in options], width)
    yield from folded(f"{name} COMMAND --help shows the options of a command, and an example.", width)
    yield ""


def command_page(name: str, of: Described, shown: Iterable[Parameter]) -> Iterator[str]:
    """Yield the lines of the help of a command."""
    width, shown = terminal_width(), list(shown)
    yield from usage(name, shown)
    yield ""
    yield from _paragraphs(of.text, width)
    yield _bold("Example")
    # Not folded: it is to be copied.
    yield from (f"  {line}" for line in of.example.splitlines())
    yield ""
    for panel in (ARGUMENTS, USUAL, *PANELS):
        items = sorted((p for p in shown if p.panel == panel), key=lambda p: not p.is_required)
        yield from _panel(panel, [(parameter.shown, parameter.text) for parameter in items], width)


def usage(name: str, shown: Iterable[Parameter]) -> Iterator[str]:
    """Yield the lines that say how to call a command."""
    arguments = [parameter.shown for parameter in shown if parameter.panel == ARGUMENTS]
    yield from folded(" ".join(["Usage:", name, *arguments, "[OPTIONS]"]), terminal_width())


def terminal_width() -> int:
    """Return the width of the help: that of the terminal, if not too wide to read."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def parameters(of: Described) -> list[Parameter]:
    """Return the arguments and options of a command, from its signature."""
    return [_parameter(parameter) for parameter in inspect.signature(of.run, eval_str=True).parameters.values()]


def _parameter(parameter: inspect.Parameter) -> Parameter:
    annotation, info = get_args(parameter.annotation)[:2]
    is_required = parameter.default is inspect.Parameter.empty
    kind = _kind(annotation)
    if isinstance(info, ArgumentInfo):
        shown = parameter.name.upper() + ("..." if list in _origins(annotation) else "")
        text = info.help or ""
        return Parameter(parameter.name, shown if is_required else f"[{shown}]", text, ARGUMENTS, is_required)
    # Typer takes the first name for a default until it reads the signature.
    names = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    written = ", ".join(sorted(names or [f"--{parameter.name.replace('_', '-')}"], key=len))
    shown = written if kind is bool else f"{written} {info.metavar or _placeholder(kind)}"
    text = _text(info, parameter.default, is_required=is_required)
    return Parameter(parameter.name, shown, text, _panel_of(parameter.name), is_required)


def _origins(annotation: Any) -> list[Any]:  # noqa: ANN401 - a type, or what `typing` makes of several
    return [get_origin(part) or part for part in (get_args(annotation) if _is_union(annotation) else [annotation])]


def _is_union(annotation: Any) -> bool:  # noqa: ANN401
    return isinstance(annotation, UnionType)


def _kind(annotation: Any) -> Any:  # noqa: ANN401
    """Return the type of a value, be it optional or of a list."""
    if _is_union(annotation):
        annotation = get_args(annotation)[0]
    return get_args(annotation)[0] if get_origin(annotation) is list else annotation


def _placeholder(kind: Any) -> str:  # noqa: ANN401
    return "|".join(str(one.value) for one in kind) if issubclass(kind, Enum) else _VALUES[kind]


def _text(info: OptionInfo, default: object, *, is_required: bool) -> str:
    """Return what an option means, with its range and default."""
    notes = ["required"] if is_required else []
    if info.min is not None:
        notes.append(f"{info.min:g} or more" if info.max is None else f"{info.min:g} to {info.max:g}")
    shown = info.show_default if isinstance(info.show_default, str) else default
    if not (is_required or shown is None or shown == "" or isinstance(shown, bool)):
        notes.append(f"default: {shown.value if isinstance(shown, Enum) else shown}")
    return " ".join(filter(None, [info.help, f"({'; '.join(notes)})" if notes else ""]))


def _others(command: Any, ctx: Context, known: set[str]) -> list[Parameter]:  # noqa: ANN401
    """Return the options that Typer adds, and --quiet."""
    return [
        Parameter(option.name, ", ".join(sorted(option.opts, key=len)), option.help or "", PANEL_OF_OTHERS)
        for option in command.get_params(ctx)
        if option.name not in known
    ]


def _panel_of(name: str) -> str:
    return next((panel for panel, names in PANELS.items() if name in names), USUAL)


def _first(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _paragraphs(text: str, width: int) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from folded(" ".join(paragraph.split()), width)
        yield ""


def _panel(name: str, items: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield the lines of a panel: names, and beside or below each what it means."""
    if not items:
        return
    yield _bold(name)
    beside = min(_NAMES, max(len(what) for what, _ in items)) if width >= BESIDE_FROM else 0
    indent = 2 + beside + 2 if beside else 6
    for what, meaning in items:
        lines = list(folded(meaning, width - indent)) if meaning else []
        names = list(folded(what, width - 2))
        between = ""
        if beside and len(what) <= beside and lines:
            between = " " * (indent - 2 - len(what)) + lines.pop(0)
        yield "\n".join(f"  {_bold(line)}" for line in names) + between
        yield from (" " * indent + line for line in lines)
    yield ""


def _bold(text: str) -> str:
    # Click leaves styles out where the output is no terminal.
    return typer.style(text, bold=True)
