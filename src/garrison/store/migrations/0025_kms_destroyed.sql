-- KMS: material that was destroyed. It tells what to look for when somebody asks for proof, and holds no secret.

CREATE TABLE kms_destroyed (
  region TEXT NOT NULL,
  material_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  account TEXT NOT NULL,
  sealed_bytes INTEGER NOT NULL,        -- length of the sealed blob that is gone
  destroyed_at REAL NOT NULL,
  PRIMARY KEY (region, material_id)
) STRICT;
CREATE INDEX kms_destroyed_key ON kms_destroyed (key_id);
CREATE INDEX kms_destroyed_time ON kms_destroyed (destroyed_at);
