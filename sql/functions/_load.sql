CREATE OR REPLACE FUNCTION pgagent_py._load() RETURNS void
LANGUAGE plpython3u VOLATILE
SET search_path = pg_catalog, pg_temp
AS $python$
import importlib
import linecache
import sys
from importlib.machinery import ModuleSpec

root = "pgagent_py"


class Finder:
    """Finds the modules of one build. Each is compiled when it is first imported: a call needs few of them."""

    def __init__(self, sources):
        self.sources = sources
        self.packages = {name.rpartition(".")[0] for name in sources} | {root}

    def find_spec(self, name, path=None, target=None):
        if name in self.sources or name in self.packages:
            return ModuleSpec(name, self, is_package=name in self.packages)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__
        if name in self.packages:
            # An attribute that is asked for and not there yet is a module that nobody has imported.
            module.__getattr__ = lambda own_name: self.find(name, own_name)
            return
        source, filename = self.sources[name], f"<{name} {{ build }}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        exec(compile(source, filename, "exec"), module.__dict__)

    def find(self, package, own_name):
        name = f"{package}.{own_name}"
        if name in self.sources or name in self.packages:
            return importlib.import_module(name)
        raise AttributeError(f"module {package!r} has no attribute {own_name!r}")


sources = {row["name"]: row["source"] for row in plpy.execute("SELECT name, source FROM pgagent_py._code()")}
# An earlier build of this session is not looked for any more.
sys.meta_path[:] = [Finder(sources), *(finder for finder in sys.meta_path if root not in getattr(finder, "packages", ()))]
for name in [name for name in sys.modules if name.partition(".")[0] == root]:
    del sys.modules[name]
# Last: a session in which loading failed tries again.
GD["pgagent_py/{{ build }}"] = importlib.import_module(root)
$python$;

COMMENT ON FUNCTION pgagent_py._load() IS
'Let this session find the Python modules of _code(). The key has their hash, so a session that is open during ALTER '
'EXTENSION UPDATE uses the new code from its next call on.';
