"""Tables as files: Markdown, LaTeX with booktabs, CSV."""

import csv
import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from dashboards.files import write_atomically
from dashboards.tables.base import Cell, Column, Table

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    '"': "''", "|": r"\textbar{}", "–": "--", "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}", "×": r"$\times$",
    "±": r"$\pm$", "−": "$-$", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}", "→": r"$\to$",
}  # fmt: skip
_ALIGNED = {"name": "l", "number": "r"}
# Columns of words share this part of the line's width.
_WORDS = 0.55


def write_table(table: Table, folder: Path) -> list[Path]:
    """NAME.md, NAME.tex and NAME.csv in `folder`, each replaced as a whole. Raises InputError when the disk refuses."""
    return [write_atomically(folder / f"{table.name}.{ending}", write(table)) for ending, write in FORMATS.items()]


def markdown(table: Table) -> str:
    """The table for a README or an issue tracker: caption, rows, notes."""
    header = [_marked(column.heading) for column in table.columns]
    ruler = ["---:" if column.kind == "number" else "---" for column in table.columns]
    body = [[f"**{_marked(cell.text)}**" if cell.best else _marked(cell.text) for cell in row] for row in table.rows]
    lines = [f"| {' | '.join(line)} |" for line in (header, ruler, *body)]
    return "\n".join([_marked(table.caption), "", *lines, *(f"\n{_marked(note)}" for note in table.notes)]) + "\n"


def _marked(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def latex(table: Table) -> str:
    """The table for a paper: a float with caption, label, rows between booktabs' rules, and notes."""
    lines = [
        "% Needs \\usepackage{booktabs,graphicx}.",
        "\\begin{table}[tbp]",
        f"\\caption{{{escaped(table.caption)}}}",
        f"\\label{{tab:{_label(table.study)}-{table.name}}}",
        "\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}",
        # Too wide a table shrinks to the line; others stay as they are.
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{@{{}}{_alignment(table)}@{{}}}}",
        "\\toprule",
        _latex_row([escaped(column.heading) for column in table.columns]),
        "\\midrule",
        *(_latex_row(list(map(_latex_cell, row, table.columns))) for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}}",
        *(f"\\par\\smallskip\\raggedright {escaped(note)}" for note in table.notes),
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _alignment(table: Table) -> str:
    num_words = sum(column.kind == "words" for column in table.columns)
    width = f"p{{{_WORDS / max(num_words, 1):.2f}\\linewidth}}"
    return "".join(_ALIGNED.get(column.kind, width) for column in table.columns)


def _latex_row(cells: list[str]) -> str:
    # Not two backslashes: \\raggedright gives them another meaning.
    return " & ".join(cells) + " \\tabularnewline"


def _latex_cell(cell: Cell, column: Column) -> str:
    text = f"\\textbf{{{escaped(cell.text)}}}" if cell.best else escaped(cell.text)
    return f"\\raggedright {text}" if column.kind == "words" else text


def escaped(text: str) -> str:
    """Any text as LaTeX that prints it; characters that a Latin font lacks become question marks."""
    plain = " ".join(text.split())
    return "".join(_LATEX.get(char, char if " " <= char < "\u0100" and char != "\x7f" else "?") for char in plain)


def _label(text: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in text)


def comma_separated(table: Table) -> str:
    """The numbers behind the table, six digits each; empty where there is none, "diverged" where training did."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.fields)
    writer.writerows([_field(value) for value in record] for record in table.records)
    return buffer.getvalue()


def _field(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return "diverged" if math.isinf(value) else f"{value:.6g}"
    return str(value)


FORMATS: Mapping[str, Callable[[Table], str]] = {"md": markdown, "tex": latex, "csv": comma_separated}
