"""``python -m compactvl.cli``: the console program without its script."""

import sys

from compactvl.cli.main import main

sys.exit(main())
