"""The committed page of memories is what the tables give."""

from pathlib import Path

from flows.tables import memories

DOCS = Path(__file__).parents[3] / "docs"


def test_the_committed_page_is_regenerated():
    """If tables changed: python -m flows.tables.memories docs."""
    pages = memories.page()
    assert {name: (DOCS / name).read_text() for name in pages} == pages


def test_it_lists_every_memory():
    text = memories.page()["memories.md"]
    for part in ("`dram.hbm2e`", "512x64", "4096x8", "`asap7` | 7 nm | 64x32", "SRAM, 8 KiB, 32 bit"):
        assert part in text
