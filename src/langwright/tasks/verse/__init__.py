"""Forms of verse: their lines, tones, syllables and rhymes, as data, checked, and as grammars for decoding."""
