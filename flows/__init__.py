"""What people run end to end; each flow registers its verbs with the ``hwsim`` command."""
