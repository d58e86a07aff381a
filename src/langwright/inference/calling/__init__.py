"""Calls of tools: how a chat template writes them, what holds a model to their form, and how they are read."""
