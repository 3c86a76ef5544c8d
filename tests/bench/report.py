"""Tables, as they are printed and as they stand in the README between the markers of their bench."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).with_name("README.md")


@dataclass(frozen=True)
class Table:
    """One table in Markdown.

    Attributes:
        columns: their headings.
        rows: as many cells each.
        title: a line above it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""

    def lines(self) -> list[str]:
        """The table, aligned so that it can be read as text too."""
        cells = [list(self.columns), *map(list, self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.columns))]
        rule = [["-" * width for width in widths]]
        aligned = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
            for row in [*cells[:1], *rule, *cells[1:]]
        ]
        return [self.title, "", *aligned] if self.title else aligned


@dataclass(frozen=True)
class Report:
    """What a bench found: tables, and sentences below them that only this run could tell."""

    tables: Sequence[Table]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The report in Markdown."""
        parts = ["\n".join(table.lines()) for table in self.tables]
        return "\n\n".join([*parts, *self.notes])


def put_into_readme(bench: str, text: str, readme: Path = README) -> None:
    """Replace what stands between a bench's two markers.

    Raises:
        ValueError: the README has no markers for it.
    """
    begin, end = f"<!-- {bench} -->", f"<!-- end of {bench} -->"
    old = readme.read_text(encoding="utf-8")
    section = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    new, count = section.subn(lambda _: f"{begin}\n{text}\n\n{end}", old)
    if count != 1:
        raise ValueError(f"{readme} has {count} pairs of the markers {begin} and {end}; there must be one")
    readme.write_text(new, encoding="utf-8")
