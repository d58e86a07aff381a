"""Benchmarks: rows of local files put as questions, answered by the engine, marked as lm-evaluation-harness marks them."""
