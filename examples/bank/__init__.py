"""A customer-service clerk of a bank that does not exist, over an API that only pretends."""
