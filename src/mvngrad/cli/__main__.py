"""``python -m mvngrad.cli``: the command, where its script is not on the path."""

import sys

from mvngrad.cli import main

sys.exit(main())
