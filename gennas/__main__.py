"""``python -m gennas``."""

import sys

from gennas.cli.main import command

sys.exit(command())
