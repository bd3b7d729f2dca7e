"""Graphics processors: kernels, their time and energy, and the host that launches them."""
