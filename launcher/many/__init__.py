"""One launcher for many databases of a server. Imported only when --databases asks for it."""
