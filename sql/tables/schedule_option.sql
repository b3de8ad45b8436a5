{% from "macros/days.j2" import day_numbers %}
CREATE TABLE pgagent_py.schedule_option (
    jscid integer PRIMARY KEY REFERENCES pgagent.pga_schedule (jscid) ON DELETE CASCADE,
    jsctimezone text,
    jscevery interval,
    jscat timestamptz,
    jscreboot boolean NOT NULL DEFAULT false,
    jscdays integer[] CHECK ({{ day_numbers("jscdays", "monthdays") }}),
    jscnth integer[] CHECK ({{ day_numbers("jscnth", "nth") }}),
    jscworkdays integer[] CHECK ({{ day_numbers("jscworkdays", "workdays") }}),
    jscroll text CHECK (jscroll IN ('{{ python_constant("ground.vocabulary.ROLLS") | join("', '") }}')),
    jscrecurs text CHECK (jscrecurs ~ '^[1-9][0-9]{0,3} (days?|weeks?|months?)$'),
    jscspread interval
);

COMMENT ON TABLE pgagent_py.schedule_option IS
'Options of schedules for which pga_schedule has no column. A schedule without a row has no options.';
COMMENT ON COLUMN pgagent_py.schedule_option.jsctimezone IS
'The time zone in whose wall clock the schedule is read. NULL: the database''s default, default_timezone().';
COMMENT ON COLUMN pgagent_py.schedule_option.jscevery IS
'It fires each time that this has passed since jscstart, at whole seconds. Its five sets still say when it may.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscat IS
'It fires once, at this time.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscreboot IS
'It fires when a launcher starts, and at no other time.';

COMMENT ON COLUMN pgagent_py.schedule_option.jscdays IS
{% filter literal %}
The days of the month as they were given, those from its end as negative numbers. NULL: as in pga_schedule. Otherwise
jscmonthdays of pga_schedule holds at least all days that this column, jscnth and jscworkdays leave.
{% endfilter %};
COMMENT ON COLUMN pgagent_py.schedule_option.jscnth IS
'Which of each of its weekdays in the month, from the begin or, negative, from the end.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscworkdays IS
'Which working days of the month, from the begin or, negative, from the end.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscroll IS
'What becomes of a day that is no working day: it moves forward, backward, or within the month, or is skipped.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscrecurs IS
'Each so many days, weeks or months, counted from those that hold jscstart.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscspread IS
'It fires later than its sets say, by less than this: the names of job and schedule decide how much.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.schedule_option', '');
