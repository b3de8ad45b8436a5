{{ new("tables/kept_right") }}
ALTER TABLE pgagent_py.agent ADD COLUMN jagknows text[] NOT NULL DEFAULT '{}';
