"""The space of mappings and the search for the best."""
