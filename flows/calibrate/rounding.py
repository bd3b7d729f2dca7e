"""Numbers as tables hold them."""


def rounded(value: float, digits: int = 6) -> float:
    """Return the value with so many significant digits."""
    return float(f"{value:.{digits}g}")
