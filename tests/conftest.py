"""What every test relies on."""

import os

from hypothesis import settings

os.environ["HWSIM_CACHE"] = ""  # no test reads what another run has left, or leaves anything
settings.register_profile("timeless", deadline=None)  # no test depends on how long it takes
settings.load_profile("timeless")
