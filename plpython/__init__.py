"""The logic of pgagent_py: when jobs run, and what happens to a run, as plain Python.

The same files serve the tests as package ``plpython`` and the server, which loads them from the
catalog, as package ``pgagent_py``.
"""
