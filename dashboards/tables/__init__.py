"""Tables for papers: what a study found as Markdown, LaTeX and CSV, each with its protocol."""

from dashboards.tables.base import Table as Table
from dashboards.tables.collection import paper_tables as paper_tables
from dashboards.tables.writers import FORMATS as FORMATS
from dashboards.tables.writers import write_table as write_table
