\pset format unaligned
-- Everything that CREATE EXTENSION makes. From PostgreSQL 17 on, the row and array types that come with a table are members, too.
SELECT pg_describe_object(d.classid, d.objid, 0) COLLATE "C" AS object
  FROM pg_depend d LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
       LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgagent_py')
   AND coalesce(c.relkind, 'c') = 'c' AND coalesce(t.typcategory, 'C') <> 'A'
 ORDER BY 1;
