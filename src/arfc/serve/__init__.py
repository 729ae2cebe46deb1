"""An OpenAI-compatible embeddings server that makes `dimensions` work."""
