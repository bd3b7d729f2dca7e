"""hwsim: what a deep-learning workload costs in energy, time and silicon, and why."""
