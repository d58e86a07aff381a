"""What runs beside or inside the sandbox: scripts of the standard library alone, started as programs of their own."""
