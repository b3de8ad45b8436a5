"""One file for each page: its queries, and what it makes of the rows."""
