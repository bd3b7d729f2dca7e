"""The ``hwsim`` command; verbs are entry points of the group ``hwsim.commands``."""
