"""Langwright: from raw text to a language model you can serve, measure, explain and stand behind."""
