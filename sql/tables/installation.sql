CREATE TABLE pgagent_py.installation (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    one boolean PRIMARY KEY DEFAULT true CHECK (one)
);

INSERT INTO pgagent_py.installation DEFAULT VALUES;

COMMENT ON TABLE pgagent_py.installation IS
'One row: what CREATE EXTENSION has drawn. It is not dumped. So rows that were made here can be told from those of '
'another server, whose role ids mean nothing here. The key keeps that server''s row out, which a subscription to all tables '
'would copy.';
