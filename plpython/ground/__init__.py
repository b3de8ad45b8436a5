"""What all wings stand on: statements, errors, roles, checks of arguments."""
