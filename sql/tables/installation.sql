CREATE TABLE pgagent_py.installation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid()
);

INSERT INTO pgagent_py.installation DEFAULT VALUES;

COMMENT ON TABLE pgagent_py.installation IS
'One row: what CREATE EXTENSION has drawn. It is not dumped. So rows that were made here can be told from those of '
'another server, whose role ids mean nothing here.';
