"""Shapes, building, loading, adapters and attention of models; all of them transformers' own classes."""
