"""Hardware descriptions and their presets."""

from hwsim.architecture.architecture import Architecture, architectures, load_architecture

__all__ = ["Architecture", "architectures", "load_architecture"]
