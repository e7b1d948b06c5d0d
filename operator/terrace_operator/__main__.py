"""`python -m terrace_operator`."""

import sys

from terrace_operator.main import main

sys.exit(main())
