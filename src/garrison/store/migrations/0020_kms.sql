-- KMS: keys, their material, their names and their tags.
--
-- A key is known by Region and id; the account is its owner. A multi-Region key has rows of one id in several Regions.

CREATE TABLE kms_key (
  region TEXT NOT NULL,
  key_id TEXT NOT NULL,                 -- a UUID, or mrk- and 32 hex digits
  account TEXT NOT NULL,                -- the owner
  description TEXT NOT NULL,
  state TEXT NOT NULL,                  -- Enabled | Disabled | PendingDeletion | PendingImport ...
  usage TEXT NOT NULL,                  -- ENCRYPT_DECRYPT ...
  spec TEXT NOT NULL,                   -- SYMMETRIC_DEFAULT ...
  origin TEXT NOT NULL,                 -- AWS_KMS ...
  manager TEXT NOT NULL,                -- CUSTOMER | AWS
  multi_region INTEGER NOT NULL,        -- 0 or 1
  created_at REAL NOT NULL,
  deletion_at REAL,                     -- NULL unless PendingDeletion
  pending_window INTEGER,               -- days; NULL unless PendingDeletion
  material_id TEXT,                     -- the material that encrypts; NULL: none yet
  policy TEXT NOT NULL,                 -- the key policy as it was put
  policy_resolved TEXT NOT NULL,        -- the same with users and roles as unique ids: for evaluation
  policy_principals TEXT NOT NULL,      -- JSON object: ARN as it was put -> unique id
  PRIMARY KEY (region, key_id)
) STRICT;
CREATE INDEX kms_key_owner ON kms_key (account, region, key_id);
CREATE INDEX kms_key_deletion ON kms_key (deletion_at);

-- Every material that a key ever had: old ones still decrypt.
CREATE TABLE kms_material (
  region TEXT NOT NULL,
  material_id TEXT NOT NULL,            -- 64 hex digits; stands in each ciphertext
  key_id TEXT NOT NULL,
  sealed BLOB NOT NULL,                 -- sealed for purpose "kms-material", associated with region/key_id/material_id
  created_at REAL NOT NULL,
  PRIMARY KEY (region, material_id),
  FOREIGN KEY (region, key_id) REFERENCES kms_key (region, key_id)
) STRICT;
CREATE INDEX kms_material_key ON kms_material (region, key_id);

CREATE TABLE kms_alias (
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  name TEXT NOT NULL,                   -- with its prefix: alias/...
  key_id TEXT NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  PRIMARY KEY (account, region, name),
  FOREIGN KEY (region, key_id) REFERENCES kms_key (region, key_id)
) STRICT;
CREATE INDEX kms_alias_key ON kms_alias (region, key_id);

-- Tag keys are case-sensitive.
CREATE TABLE kms_tag (
  region TEXT NOT NULL,
  key_id TEXT NOT NULL,
  tag_key TEXT NOT NULL,
  tag_value TEXT NOT NULL,
  PRIMARY KEY (region, key_id, tag_key),
  FOREIGN KEY (region, key_id) REFERENCES kms_key (region, key_id)
) STRICT;
