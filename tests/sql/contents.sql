-- Everything that CREATE EXTENSION makes.
\dx+ pgagent_py
