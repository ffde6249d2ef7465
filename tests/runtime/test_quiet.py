from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from gennas.runtime.quiet import hush, hush_if_asked


def test_workers_drop_what_libraries_log_only_if_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GENNAS_QUIET", "")
    try:
        hush_if_asked()
        logging.getLogger("lib").warning("first")
        hush()
        logging.getLogger("lib").warning("second")
        logging.getLogger("lib").error("third")
        assert [r.message for r in caplog.records] == ["first", "third"]
        code = "import logging; from gennas.runtime.quiet import hush_if_asked as h; h(); logging.warning('w')"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stderr == b""
    finally:
        logging.disable(logging.NOTSET)
