"""How the demo's faces were made: run once in the life of the project, and not installed."""
