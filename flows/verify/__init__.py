"""RTL verification for CI: simulation, proof, gate level, coverage, mutation, resources; see docs/verify.md."""
