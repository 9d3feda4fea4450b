-- KMS: the last successful cryptographic operation of each key. Uses are tracked since this was applied.

CREATE TABLE kms_usage (
  region TEXT NOT NULL,
  key_id TEXT NOT NULL,
  operation TEXT NOT NULL,
  used_at REAL NOT NULL,
  event_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  PRIMARY KEY (region, key_id)
) STRICT;
