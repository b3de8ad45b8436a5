"""When a schedule fires."""
