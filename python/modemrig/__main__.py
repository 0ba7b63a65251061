"""``python -m modemrig`` is the command ``modemrig``."""

import sys

from modemrig.cli import main

sys.exit(main())
