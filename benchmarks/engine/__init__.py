"""The engine beside its peers: random-weight Llama shapes, every contestant in a process of its own, in turn."""
