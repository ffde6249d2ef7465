"""``python -m gennas``."""

import sys

from gennas.cli import main

sys.exit(main())
