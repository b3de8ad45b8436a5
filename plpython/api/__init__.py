"""The verbs of the SQL API."""
