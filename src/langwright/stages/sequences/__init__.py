"""Tasks learned one after the other: the methods against forgetting, and how a sequence is carried out."""
