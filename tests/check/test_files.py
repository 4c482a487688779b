"""Files of results are refused before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

from gpugrad.check import files


def test_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.json"
    files.write(file, {"date": files.today()})
    assert json.loads(file.read_text())["date"].count("-") == 2


def test_a_file_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    there, new = tmp_path / "there.json", tmp_path / "folder" / "new.json"
    there.write_text("before")
    assert files.problem(there) == files.problem(new) == ""
    assert there.read_text() == "before" and not new.exists()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for file in (tmp_path, tmp_path / "file" / "results.json"):
        assert files.problem(file).startswith(f"cannot write {str(file)!r}")
