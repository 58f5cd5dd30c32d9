"""Evidence packs: gathered, signed, redacted, verified by anybody, and run again."""
