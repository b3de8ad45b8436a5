CREATE TABLE pgagent_py.engine (
    engname text PRIMARY KEY,
    engoptions text[] NOT NULL,
    engenabled boolean NOT NULL
);

COMMENT ON TABLE pgagent_py.engine IS
'What set_engine() has set: where batch steps may be executed beside the launcher, and the options that they may have there. '
'Engines that come with the launcher and have no row have their default.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.engine', '');
