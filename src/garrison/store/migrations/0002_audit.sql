-- The audit trail, and the configuration items that are written beside it.

-- One row a process life. number counts without a gap and mac covers the number, the chain and the mac before it,
-- so that a chain cannot be taken away whole.
CREATE TABLE audit_chain (
  number INTEGER NOT NULL PRIMARY KEY,
  chain TEXT NOT NULL UNIQUE,
  started_at REAL NOT NULL,
  mac BLOB NOT NULL
);

-- The last event of a chain as far as the database was told. state: 0 open, 1 closed (final), 2 closed by a restore.
CREATE TABLE audit_head (
  chain TEXT NOT NULL PRIMARY KEY,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  state INTEGER NOT NULL,
  mac BLOB NOT NULL
);

-- record and decision are the exact bytes that hash covers; the other columns repeat what lookups need.
CREATE TABLE audit_event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  chain TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  event_time INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  event_source TEXT NOT NULL,
  event_name TEXT NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  user_name TEXT NOT NULL,
  access_key_id TEXT NOT NULL,
  read_only INTEGER NOT NULL,
  error_code TEXT NOT NULL,
  record TEXT NOT NULL,
  decision TEXT NOT NULL,
  UNIQUE (chain, seq)
);
CREATE INDEX audit_event_time ON audit_event (account, event_time);
CREATE INDEX audit_event_name ON audit_event (account, event_name, event_time);
CREATE INDEX audit_event_user ON audit_event (account, user_name, event_time);
CREATE INDEX audit_event_id ON audit_event (event_id);
CREATE INDEX audit_event_request ON audit_event (request_id);

CREATE TABLE audit_resource (
  chain TEXT NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  account TEXT NOT NULL,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  arn TEXT NOT NULL,
  PRIMARY KEY (chain, seq, position)
);
CREATE INDEX audit_resource_name ON audit_resource (account, name);
CREATE INDEX audit_resource_arn ON audit_resource (account, arn);
CREATE INDEX audit_resource_type ON audit_resource (account, type);

-- The state of a resource after each change; chain, seq and position name the event that made it so.
CREATE TABLE config_item (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  chain TEXT NOT NULL,
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  captured_at INTEGER NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  resource_type TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  resource_name TEXT NOT NULL,
  arn TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  tags TEXT NOT NULL,
  configuration TEXT NOT NULL,
  facts TEXT NOT NULL,
  UNIQUE (chain, seq, position)
);
CREATE INDEX config_item_resource ON config_item (account, resource_type, resource_id, id);
CREATE INDEX config_item_arn ON config_item (arn, id);
