"""The command line: one file per command, shared options once, and all that is shown on a terminal."""
