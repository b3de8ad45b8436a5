"""What an outside monitor may ask a launcher, or be told. Imported only when an option asks for it."""
