"""Scripts as a user would write them, run by ``hwsim demo`` and the tests."""
