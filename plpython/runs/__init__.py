"""What happens to a due job."""
