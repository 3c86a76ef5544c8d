"""`python -m demo` and `python -m demo down`."""

import sys

from demo.main import main

sys.exit(main())
