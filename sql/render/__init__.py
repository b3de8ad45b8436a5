"""Render the extension scripts from sql/ and plpython/ with Jinja2.

`python -m sql.render` is the command; modules.py reads plpython/, scripts.py makes the SQL.
"""
