"""The parts of a search over settings: its space, its study, its runs and its confirmation."""
