"""Finding mistakes of spelling by counting: what is written often, and which mistakes are made."""
