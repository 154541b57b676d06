"""Settings from files and the environment, below the command line: what keys there are, where they are read, edits."""
