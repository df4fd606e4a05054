"""Exported files: complete, documented, and with every bit of every number."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.results import Diagnosis, Spectrum
from sweeps import export
from sweeps.store import ResultStore, open_store
from tests.sweeps.store.samples import PRESET, STUDY, evaluation, filled, planned


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResultStore]:
    """A study with results, one of them absent."""
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as opened:
        filled(opened)
        opened.register(STUDY, PRESET, {}, planned(seeds=3))
        opened.record(planned(seeds=3)[-1].digest, evaluation(500, None, kid=1 / 3))
        yield opened


def test_the_files_are_named_and_hold_their_rows(store: ResultStore, tmp_path: Path) -> None:
    paths = export.export(store, STUDY, PRESET, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == [
        "robustness-quick.csv", "robustness-quick.parquet", "robustness-quick.diagnostics.csv",
        "robustness-quick.diagnostics.parquet", "robustness-quick.spectra.csv", "robustness-quick.spectra.parquet",
        "robustness-quick.columns.md",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(path.name for path in paths)
    assert len(pd.read_csv(paths[0])) == len(pd.read_parquet(paths[1])) == 34
    for text, binary, rows in ((*paths[2:4], store.diagnostics), (*paths[4:6], store.spectra)):
        assert len(pd.read_csv(text)) == len(pd.read_parquet(binary)) == len(rows(STUDY, PRESET)) > 0


def test_spectra_keep_every_singular_value(store: ResultStore, tmp_path: Path) -> None:
    third = Spectrum(layer="layer1", weight="raw", values=(2.5, 1 / 3))
    lost = Spectrum(layer="layer1", weight="effective", values=())
    diagnosis = Diagnosis(update=1500, values={}, spectra=(third, lost))
    store.record(planned(seeds=3)[-1].digest, replace(evaluation(1500), diagnoses=(diagnosis,)))
    paths = export.export(store, STUDY, PRESET, tmp_path)
    text, binary = (pd.read_csv(paths[4]), pd.read_parquet(paths[5]))
    for frame, read in ((text, json.loads), (binary, list)):
        rows = frame[frame["update"] == 1500].set_index("weight")["singular_values"]
        assert {weight: read(values) for weight, values in rows.items()} == {"raw": [2.5, 1 / 3], "effective": []}


def test_every_column_is_documented_and_every_documented_column_is_there(store: ResultStore, tmp_path: Path) -> None:
    documented: list[str] = []
    for table in export.TABLES:
        names = [column.name for column in table.columns]
        assert list(table.frame(store, STUDY, PRESET).columns) == names
        assert len(set(names)) == len(names)
        assert all(len(column.meaning) > 10 for column in table.columns)
        documented += ["column", *names]
    [path] = export.export(store, STUDY, PRESET, tmp_path, formats=())
    rows = [line.split(" | ") for line in path.read_text().splitlines() if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows] == documented


def test_parquet_says_what_its_columns_mean(store: ResultStore, tmp_path: Path) -> None:
    paths = export.export(store, STUDY, PRESET, tmp_path, formats=("parquet",))
    for path, table in zip(paths, export.TABLES, strict=False):
        schema = parquet.read_schema(path)
        assert schema.names == [column.name for column in table.columns]
        for column in table.columns:
            metadata = schema.field(column.name).metadata
            assert metadata[b"unit"].decode() == column.unit
            assert metadata[b"description"].decode() == column.meaning


def test_all_bits_of_all_numbers_survive(store: ResultStore, tmp_path: Path) -> None:
    frame = export.export_frame(store, STUDY, PRESET)
    text, binary, *_ = export.export(store, STUDY, PRESET, tmp_path)
    with text.open(newline="") as file:
        rows = list(csv.DictReader(file))
    read = pd.read_parquet(binary)
    for name in ("alpha", "beta1", "beta2", "value", "spread", "floor", "seconds"):
        wanted = [None if math.isnan(value) else value.hex() for value in frame[name]]
        assert [float(row[name]).hex() if row[name] else None for row in rows] == wanted
        assert [None if math.isnan(value) else value.hex() for value in read[name]] == wanted
    assert sum(row["value"] == "" for row in rows) == 1
    assert parquet.read_table(binary)["value"].null_count == 1


def test_a_row_tells_the_whole_config(store: ResultStore, tmp_path: Path) -> None:
    text, *_ = export.export(store, STUDY, PRESET, tmp_path, formats=("csv",))
    with text.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        config = TrialConfig.from_dict(json.loads(row["config"]))
        assert config.digest == row["digest"]
        assert (config.seed, config.n_dis, config.updates) == (int(row["seed"]), int(row["n_dis"]), int(row["updates"]))
        assert (config.dataset, config.architecture) == (row["dataset"], row["architecture"])


def test_exporting_again_replaces_the_files(store: ResultStore, tmp_path: Path) -> None:
    export.export(store, STUDY, PRESET, tmp_path)
    store.record(planned(seeds=3)[-1].digest, evaluation(1000))
    paths = export.export(store, STUDY, PRESET, tmp_path)
    assert len(pd.read_csv(paths[0])) == 36
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".unfinished")]


def test_a_study_without_evaluations_is_exported_empty(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'empty.db'}") as store:
        store.register(STUDY, PRESET, {}, planned())
        text, binary, *_, spectra, _ = export.export(store, STUDY, PRESET, tmp_path)
    assert text.read_text() == ",".join(column.name for column in export.COLUMNS) + "\n"
    assert len(pd.read_parquet(binary)) == 0
    assert parquet.read_schema(spectra).field("singular_values").type == pa.list_(pa.float64())


def test_mistakes_are_named(store: ResultStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown export format 'parket'\. Did you mean 'parquet'"):
        export.export(store, STUDY, PRESET, tmp_path, formats=("parket",))
    with pytest.raises(InputError, match=r"unknown launched study 'robustnes-quick'\. Did you mean 'robustness-quick'"):
        export.export(store, "robustnes", PRESET, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file cannot be written"):
        export.export(store, STUDY, PRESET, tmp_path / "file")
    with pytest.raises(InputError, match="cannot be written"):
        export.export(store, STUDY, PRESET, Path("/proc/nowhere"))


def test_a_failed_write_leaves_the_old_file(
    store: ResultStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, *_ = export.export(store, STUDY, PRESET, tmp_path)
    before = text.read_bytes()

    def fail(self: pd.DataFrame, path: Path, **options: object) -> None:
        Path(path).write_text("half a fi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(InputError, match="No space left on device"):
        export.export(store, STUDY, PRESET, tmp_path)
    assert text.read_bytes() == before
    assert len(list(tmp_path.glob(".*"))) == 0
