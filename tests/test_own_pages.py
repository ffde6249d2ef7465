"""The pages about own parts: their files are written as they stand, their tests pass, their commands run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(p for p in (ROOT / "docs" / "own").glob("*.md") if p.name != "index.md")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.DOTALL)


# One process imports everything once; every command runs in a copy of it, with a state of its own.
_RUN = """
import json, os, sys, traceback
import pandas, pytest, torch
import gennas.report, gennas.search, gennas.testing, gennas.training, gennas.workbench.run
from gennas.cli.main import main
programs = {"pytest": lambda words: pytest.main(["-q", "-p", "no:cacheprovider", *words]), "gennas": main}
for program, *words in json.loads(sys.argv[1]):
    number = os.fork()
    if not number:
        try:
            code = int(programs[program](words))
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush(); sys.stderr.flush()
        os._exit(code)
    if os.waitpid(number, 0)[1]:
        sys.exit(f"{program} {' '.join(words)}")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "python"):
        (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block)
    for block in blocks(page, "yaml"):
        (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block)
    commands = [line for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    assert [line for line in commands if line.startswith("pytest ")] and len(commands) >= 2
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps([shlex.split(line) for line in commands])],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_a_layered_space_takes_no_more_than_40_lines() -> None:
    page = ROOT / "docs" / "own" / "space.md"
    layered = next(block for block in blocks(page, "python") if "LayeredSpace" in block)
    assert len(layered.strip().splitlines()) <= 40


def test_the_space_without_code_has_its_size(tmp_path: Path) -> None:
    from gennas.spaces import make_space

    file = tmp_path / "my_space.yaml"
    file.write_text(next(iter(blocks(ROOT / "docs" / "own" / "space.md", "yaml"))))
    layer = (3 + 1) * 2  # attention with three numbers of heads, or a convolution; two ratios
    assert make_space(str(file)).size == 2 * (layer + layer**2 + layer**3)


def test_every_contract_is_shown() -> None:
    import gennas.testing

    shown = "".join(page.read_text() for page in PAGES)
    contracts = {name for name in gennas.testing.__all__ if name.endswith("Contract")}
    assert {name for name in contracts if name in shown} == contracts - {"ArchiveContract", "ExecutorContract"}
