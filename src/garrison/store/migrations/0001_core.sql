-- What every room stands on: the change log that keeps caches honest, and facts about the installation itself.

-- seq is in commit order: there is one writer at a time on either engine.
-- origin is the process that wrote it, so that a process does not hear of its own changes twice.
CREATE TABLE change (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  origin TEXT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL
);

-- Single facts by name: the seal that proves the root key, the floor of the change log, ...
CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
);

CREATE TABLE account (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL DEFAULT '',
  created_at REAL NOT NULL
);
