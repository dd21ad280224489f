"""The embedded knowledge graph: relations as sorted numbers, walked level by level."""
