"""A study's results as files: scores, diagnostics and spectra, every column documented beside and inside them."""

import contextlib
import json
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from sngan.errors import InputError, unknown
from sngan.registry import Registry
from sweeps.store import ResultStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the export. unit : "" for names and plain numbers. is_list : a list of numbers in every row."""

    name: str
    unit: str
    meaning: str
    is_list: bool = False


_CELL: tuple[Column, ...] = (
    Column(
        "digest",
        "",
        "identity of the trial: 16 hex digits of the SHA-256 of the training code's version and its config",
    ),
    Column("method", "", "loss and regularizers, by the name that figures use"),
    Column("setting", "", "name of the optimizer setting (alpha, beta1, beta2, n_dis)"),
    Column("seed", "", "training seed; the same seed means the same data order and latents in every method"),
)
_UPDATE = Column("update", "generator updates", "how far the trial had been trained when it was measured")
COLUMNS: tuple[Column, ...] = (
    *_CELL,
    Column("state", "", "of the trial: queued, running, completed, diverged (a result) or failed (no result)"),
    Column("alpha", "", "Adam's learning rate in both networks"),
    Column("beta1", "", "Adam's first momentum"),
    Column("beta2", "", "Adam's second momentum"),
    Column("n_dis", "", "discriminator updates per generator update"),
    _UPDATE,
    Column("protocol", "", "full name of the measurement; only rows of equal protocol may be compared"),
    Column("metric", "", "what was measured, as `python -m sngan list` names it"),
    Column("value", "of the metric", "the measured number; absent where the trial had diverged"),
    Column("spread", "of the metric", "noise of measuring one model (sngan.results.Score), not of seeds"),
    Column("num_generated", "images", "generated images per repetition"),
    Column("num_real", "images", "real images compared with; 0 where the metric needs none"),
    Column("split", "", "split of the data set that the real images are from; empty where the metric needs none"),
    Column("extractor", "", "network behind the metric and the first 8 hex digits of its hash"),
    Column("floor", "of the metric", "what this protocol gives for real images in place of generated ones"),
    Column("seconds", "s", "time of this measurement"),
    Column("dataset", "", "name of the data set"),
    Column("architecture", "", "name of the networks' architecture"),
    Column("updates", "generator updates", "length of the whole trial"),
    Column("config", "JSON", "everything that may change the result, and nothing that may not"),
)
_OF_TRIAL = ("digest", "dataset", "architecture", "updates", "config")
DIAGNOSTIC_COLUMNS: tuple[Column, ...] = (
    *_CELL,
    _UPDATE,
    Column("name", "", "what was looked at: a quantity, or layer/quantity, layers numbered from the image on"),
    Column("value", "of the quantity", "the number; absent where it was not finite"),
)
SPECTRUM_COLUMNS: tuple[Column, ...] = (
    *_CELL,
    _UPDATE,
    Column("layer", "", "of the discriminator, numbered from the image on"),
    Column("weight", "", "raw: the parameter; effective: what the layer computes with"),
    Column(
        "singular_values",
        "",
        "of the weight as a matrix, largest first (JSON in CSV); empty where it was not finite",
        is_list=True,
    ),
)

Writer = Callable[[pd.DataFrame, tuple[Column, ...], Path], None]
FORMATS: Registry[Writer] = Registry("export format")


@dataclass(frozen=True, slots=True)
class Table:
    """Files of one kind of rows: STUDY-PRESET + suffix + .FORMAT."""

    suffix: str
    row: str
    columns: tuple[Column, ...]
    frame: Callable[[ResultStore, str, str], pd.DataFrame]


def export(
    store: ResultStore, study: str, preset: str, folder: Path, formats: Sequence[str] = ("csv", "parquet")
) -> list[Path]:
    """The files written: for each of TABLES and every format one below `folder`, and STUDY-PRESET.columns.md.

    Numbers keep all their bits in every format; what is absent is an empty field in CSV and null in Parquet. A file
    is replaced as a whole or not at all. Raises InputError for an unknown format, a study that was never launched,
    or a folder that cannot be written.
    """
    writers = {name: FORMATS[name] for name in formats}
    paths = []
    for table in TABLES:
        frame = table.frame(store, study, preset)
        with _writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, write in writers.items():
                path = folder / f"{study}-{preset}{table.suffix}.{name}"
                paths.append(_replaced(path, partial(write, frame, table.columns)))
        logger.info("%d rows written, %s", len(frame), table.row)
    text = dictionary(study, preset)
    with _writable(folder):
        described = folder / f"{study}-{preset}.columns.md"
        paths.append(_replaced(described, lambda path: path.write_text(text, encoding="utf-8")))
    return paths


def export_frame(store: ResultStore, study: str, preset: str) -> pd.DataFrame:
    """One row per measured number with the columns COLUMNS, in the order seed, method, setting, update, protocol."""
    trials = store.trials(study, preset)
    if trials.empty:
        launched = [f"{row.study}-{row.preset}" for row in store.studies().itertuples()]
        raise unknown("launched study", f"{study}-{preset}", launched)
    trials = trials.drop_duplicates("digest")[list(_OF_TRIAL)]
    # A config stands in many rows, but once in memory and in the Parquet file.
    trials["config"] = trials["config"].astype("category")
    return store.evaluations(study, preset).merge(trials, on="digest", how="left", validate="many_to_one")


TABLES = (
    Table("", "a number: a trial, an update and a protocol", COLUMNS, export_frame),
    Table(".diagnostics", "a diagnostic: a trial, an update and a name", DIAGNOSTIC_COLUMNS, ResultStore.diagnostics),
    Table(".spectra", "a spectrum: a trial, an update, a layer and a weight", SPECTRUM_COLUMNS, ResultStore.spectra),
)


def dictionary(study: str, preset: str) -> str:
    """The meaning of every column of every file, as Markdown."""
    lines = [
        f"# Columns of {study}-{preset}",
        "",
        "An absent number is an empty field in CSV and null in Parquet; it is never a number that stands for",
        "something else.",
    ]
    for table in TABLES:
        lines += [
            "",
            f"## {study}-{preset}{table.suffix}",
            "",
            f"One row per {table.row.partition(' ')[2]}.",
            "",
            "| column | unit | meaning |",
            "|---|---|---|",
            *(f"| {column.name} | {column.unit} | {column.meaning} |" for column in table.columns),
        ]
    return "\n".join(lines) + "\n"


def write_csv(frame: pd.DataFrame, columns: tuple[Column, ...], path: Path) -> None:
    """Write `frame` as CSV (UTF-8, comma, header); floats as the shortest text that gives all bits back."""
    plain = frame.assign(**{column.name: frame[column.name].map(json.dumps) for column in columns if column.is_list})
    plain.to_csv(path, index=False, lineterminator="\n")


def write_parquet(frame: pd.DataFrame, columns: tuple[Column, ...], path: Path) -> None:
    """Write `frame` as Parquet, with unit and meaning of every column in its metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [
        # An empty list has no type of its own.
        pa.field(
            column.name, pa.list_(pa.float64()) if column.is_list else table.schema.field(column.name).type
        ).with_metadata({"unit": column.unit, "description": column.meaning})
        for column in columns
    ]
    parquet.write_table(table.cast(pa.schema(fields, metadata=table.schema.metadata)), path, compression="zstd")


FORMATS.add("csv", write_csv)
FORMATS.add("parquet", write_parquet)


def _replaced(path: Path, write: Callable[[Path], object]) -> Path:
    """`path`, after `write` has written it: whole, or as it was before."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}.\nGive another folder.") from None
