"""A real Evennia: its environment, a game of it with players, and what games do."""
