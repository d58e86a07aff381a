"""Training objectives. To add one: write its file, add its line in kinds.py, and its entry in docs/papers.md."""
