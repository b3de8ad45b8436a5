CREATE OR REPLACE FUNCTION pgagent_py._load() RETURNS void
LANGUAGE plpython3u VOLATILE
SET search_path = pg_catalog, pg_temp
AS $python$
import linecache
import sys
import types

modules = {}


def enter(name, is_package):
    """Put an empty module into sys.modules, and into its package, which is made at the first need."""
    module = modules[name] = sys.modules[name] = types.ModuleType(name)
    parent, _, own_name = name.rpartition(".")
    module.__package__ = name if is_package else parent
    if is_package:
        module.__path__ = []
    if parent:
        if parent not in modules:
            enter(parent, True)
        setattr(modules[parent], own_name, module)


sources = [(row["name"], row["source"]) for row in plpy.execute("SELECT name, source FROM pgagent_py._code()")]
# All of them stand in sys.modules before the first is executed: dataclasses look their module up there.
for name, source in sources:
    enter(name, False)
for name, source in sources:
    filename = f"<{name} {{ build }}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), modules[name].__dict__)
# Last: a session in which loading failed tries again.
GD["pgagent_py/{{ build }}"] = modules["pgagent_py"]
$python$;

COMMENT ON FUNCTION pgagent_py._load() IS
'Load the Python modules of _code() into this session. The key has their hash, so a session that is open during ALTER '
'EXTENSION UPDATE uses the new code from its next call on.';
