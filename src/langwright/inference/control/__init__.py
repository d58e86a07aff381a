"""Control of what is written: its form, its length, its words, and by guides its sentiment, style and topic."""
