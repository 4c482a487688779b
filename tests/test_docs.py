"""The Python code in README.md and docs/ runs as printed, top to bottom, page by page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(<!-- not run -->\n)?```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_run(page, capsys):
    scope = {}
    blocks = [code for skip, code in BLOCK.findall(page.read_text(encoding="utf-8")) if not skip]
    for code in blocks:
        exec(compile(code, str(page), "exec"), scope)
    printed = capsys.readouterr().out
    assert printed.count("\n") >= sum(code.count("print(") for code in blocks)


def test_links_to_files_of_the_repository_exist():
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
