-- KMS: grants. A grant allows one principal some operations with one key, and is never changed.

CREATE TABLE kms_grant (
  region TEXT NOT NULL,
  key_id TEXT NOT NULL,
  grant_id TEXT NOT NULL,               -- 64 hex digits
  created_at REAL NOT NULL,
  name TEXT NOT NULL,                   -- empty: none
  issuing_account TEXT NOT NULL,        -- whose principal made it
  grantee TEXT NOT NULL,                -- unique id, AROA...:session, account, ARN of a federated user, or service principal
  grantee_name TEXT NOT NULL,           -- as it was given
  grantee_service INTEGER NOT NULL,     -- 1: a service principal
  retiring TEXT NOT NULL,               -- as grantee; empty: nobody
  retiring_name TEXT NOT NULL,
  retiring_service INTEGER NOT NULL,
  operations TEXT NOT NULL,             -- JSON list
  constraints TEXT NOT NULL,            -- JSON object of the model's names; {}: none
  likeness TEXT NOT NULL,               -- SHA-256 of all that makes two named grants the same; empty without a name
  PRIMARY KEY (region, key_id, grant_id),
  FOREIGN KEY (region, key_id) REFERENCES kms_key (region, key_id)
) STRICT;
CREATE INDEX kms_grant_grantee ON kms_grant (region, key_id, grantee);
CREATE INDEX kms_grant_retiring ON kms_grant (region, retiring, key_id, grant_id);
CREATE INDEX kms_grant_likeness ON kms_grant (region, key_id, likeness);
