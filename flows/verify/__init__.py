"""RTL verification for CI: simulation, proof, gates, coverage, mutation, resources; see docs/verify.md."""
