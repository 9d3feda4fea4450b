-- KMS: custom key stores, their keys, and the credentials with which other KMSs use keys of ours as an external key store proxy.

CREATE TABLE kms_key_store (
  region TEXT NOT NULL,
  store_id TEXT NOT NULL,               -- cks-...
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,                   -- AWS_CLOUDHSM | EXTERNAL_KEY_STORE
  state TEXT NOT NULL,                  -- DISCONNECTED | CONNECTED | FAILED
  error_code TEXT NOT NULL,             -- why it is FAILED; empty otherwise
  created_at REAL NOT NULL,
  sealed BLOB NOT NULL,                 -- the password, or the proxy's secret: purpose "kms-key-store", associated with region/store_id
  cluster_id TEXT NOT NULL,             -- of AWS_CLOUDHSM; empty otherwise
  trust_anchor TEXT NOT NULL,           -- the same
  connectivity TEXT NOT NULL,           -- of EXTERNAL_KEY_STORE; empty otherwise
  endpoint TEXT NOT NULL,               -- the same: https:// and a name
  path TEXT NOT NULL,                   -- the same: [/prefix]/kms/xks/v1
  proxy_key_id TEXT NOT NULL,           -- the same: the access key id that the proxy knows
  PRIMARY KEY (region, store_id),
  UNIQUE (account, region, name)
) STRICT;

-- Keys whose second half lies in a custom key store.
CREATE TABLE kms_store_key (
  region TEXT NOT NULL,
  key_id TEXT NOT NULL,
  store_id TEXT NOT NULL,
  outer_id TEXT NOT NULL,               -- XksKeyId, or the label of the key in the token
  PRIMARY KEY (region, key_id),
  UNIQUE (region, store_id, outer_id),
  FOREIGN KEY (region, key_id) REFERENCES kms_key (region, key_id),
  FOREIGN KEY (region, store_id) REFERENCES kms_key_store (region, store_id)
) STRICT;

CREATE TABLE kms_xks_credential (
  access_key_id TEXT NOT NULL PRIMARY KEY,  -- 20 to 30 characters of A-Z and 2-7
  account TEXT NOT NULL,
  region TEXT NOT NULL,                 -- where the keys are that it uses
  owner_id TEXT NOT NULL,               -- the user as whom it calls
  prefix TEXT NOT NULL,                 -- before /kms/xks/v1; empty: none
  sealed BLOB NOT NULL,                 -- the secret: purpose "kms-xks-credential", associated with access_key_id
  created_at REAL NOT NULL
) STRICT;
CREATE INDEX kms_xks_credential_owner ON kms_xks_credential (account, owner_id);
