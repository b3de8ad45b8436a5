"""The web page of `pgagentctl web`: it looks at jobs and runs, and acts on them, with the rights of who has logged in.

app.py          addresses, and what every answer carries
login.py        a password that the server asked for is the only way in
sessions.py     who is logged in, and the one connection of each
visit.py        one request: who, in which time zone, what the database says
pages/          one file for each page
drawing/        pictures, as SVG
text.py         times, durations, code and the output of steps as HTML
"""
