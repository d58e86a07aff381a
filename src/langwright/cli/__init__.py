"""The command line: one short file per command, all of them light to import."""
