"""The dead letters: read, shown, exported, sent in again."""
