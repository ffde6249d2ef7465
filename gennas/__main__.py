"""``python -m gennas``."""

import sys

from gennas.cli.main import main

sys.exit(main())
