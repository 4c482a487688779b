"""Files of results: JSON with the day on which it was measured, and whether it can be written, asked before anything runs."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any


def today() -> str:
    """The date, in UTC: 2026-01-31."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def write(file: Path, content: dict[str, Any]) -> None:
    """Write JSON, in a folder that is made if it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def problem(file: Path, option: str = "--json") -> str:
    """Why the file of an option cannot be written; empty if it can be. A file that is there stays as it is; folders are made."""
    new = not file.exists()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8"):
            pass
        if new:
            file.unlink()
    except OSError as error:
        return f"cannot write {str(file)!r} ({error.strerror}); give {option} a file in a folder that can be written to"
    return ""
