"""Energy and latency of mapped operators."""
