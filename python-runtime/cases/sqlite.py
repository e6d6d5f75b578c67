import sqlite3

db = sqlite3.connect(":memory:")
db.row_factory = sqlite3.Row
db.executescript("create table t(id integer primary key, name text unique, n real); create index i on t(n);")
with db:
    db.executemany("insert into t(name, n) values(?, ?)", [("a", 1.5), ("b", None), ("c", 3)])
print([tuple(row) for row in db.execute("select name, coalesce(n, -1) from t order by n desc")])
try:
    with db:
        db.execute("insert into t(name) values('d')")
        db.execute("insert into t(name) values('a')")
except sqlite3.IntegrityError as error:
    print(error)
print(db.execute("select count(*), sum(n) from t where name like ?", ("%",)).fetchone()[:])
print(db.execute("with recursive c(x) as (select 1 union all select x+1 from c where x<5) select group_concat(x) from c").fetchone()[0])
