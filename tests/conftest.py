"""What every test relies on."""

import os

os.environ["HWSIM_CACHE"] = ""  # no test reads what another run has left, or leaves anything
