CREATE TABLE pgagent_py.exception (
    jexid integer PRIMARY KEY DEFAULT nextval('pgagent.pga_exception_jexid_seq'),
    -- As in schedule_calendar, so that a session notices it.
    jexscid integer NOT NULL REFERENCES pgagent_py.schedule_option (jscid) ON DELETE CASCADE,
    jexdate date NOT NULL,
    jextime time NOT NULL,
    UNIQUE (jexscid, jexdate, jextime)
);

COMMENT ON TABLE pgagent_py.exception IS
{% filter literal %}
Exceptions that pgAgent's table has no place for: its unique index holds a date with a time once for all schedules. So
the second schedule's exception is here, with an id from the same sequence. The view every_exception has all of them.
{% endfilter %};

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.exception', '');
