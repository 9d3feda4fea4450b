-- MFA devices: virtual ones and hardware tokens (RFC 6238), passkeys and security keys (WebAuthn).

CREATE TABLE iam_mfa_device (
    account TEXT NOT NULL,
    serial TEXT NOT NULL,                -- arn:aws:iam::...:mfa/path/name; a token's number; arn:aws:iam::...:u2f/user/...
    serial_folded TEXT NOT NULL,         -- in lower case: names are unique regardless of case
    kind TEXT NOT NULL,                  -- virtual | token | key
    created DOUBLE PRECISION NOT NULL,
    owner_id TEXT,                       -- AIDA...; the account's number: the root user; NULL: of nobody (virtual devices alone)
    enabled DOUBLE PRECISION,            -- when the owner got it; NULL with owner_id
    seed BLOB,                           -- sealed for purpose "mfa-seed", associated with account/serial; NULL for a key
    drift BIGINT NOT NULL,               -- time steps of 30 s by which the device is ahead
    last_counter BIGINT NOT NULL,        -- the time step of the last code that was accepted: none before it is, nor itself
    credential_id BLOB,                  -- of a key; NULL otherwise
    public_key BLOB,                     -- the same: COSE
    sign_count BIGINT NOT NULL,          -- the same: the last one seen
    aaguid TEXT NOT NULL,                -- the same: the model; empty otherwise
    PRIMARY KEY (account, serial)
);
CREATE UNIQUE INDEX iam_mfa_device_folded ON iam_mfa_device (account, serial_folded);
CREATE INDEX iam_mfa_device_owner ON iam_mfa_device (account, owner_id);
CREATE UNIQUE INDEX iam_mfa_device_credential ON iam_mfa_device (credential_id);

-- Hardware tokens that the operator brought in: any account may enable one that is free, by two codes that it shows.
CREATE TABLE identity_token_seed (
    serial TEXT NOT NULL PRIMARY KEY,    -- as printed on its back, in upper case
    seed BLOB NOT NULL,                  -- sealed for purpose "token-seed", associated with the serial number
    account TEXT,                        -- who has it; NULL: free
    last_counter BIGINT NOT NULL,        -- as in iam_mfa_device, kept from one owner to the next
    imported DOUBLE PRECISION NOT NULL
);
