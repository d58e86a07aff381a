"""What is taken out of a text as it stands, by methods that need no trained model."""
