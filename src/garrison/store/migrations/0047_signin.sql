-- Signing in: sessions of browsers and of command lines, the codes that open the latter, and what counts once.

CREATE TABLE signin_session (
    session_id TEXT NOT NULL PRIMARY KEY, -- a UUID: arn:aws:signin:REGION:ACCOUNT:session/UUID
    account TEXT NOT NULL,
    owner_id TEXT NOT NULL,               -- AIDA...; AROA...; the account's number: the root user
    principal_arn TEXT NOT NULL,          -- the IAM identity that the session is of
    name TEXT NOT NULL,                   -- as people know it: a user's name, ROLE/SESSION; empty for the root user
    client TEXT NOT NULL,                 -- the OAuth client; empty for a browser
    proof BLOB NOT NULL,                  -- SHA-256 of the cookie's secret; of a client's key (RFC 7638)
    stands_for BLOB,                      -- a role's or federated user's session, sealed for "signin-grant"; NULL: a user's own
    password_changed DOUBLE PRECISION,    -- when the password was set that opened it; NULL where none did
    issued_at DOUBLE PRECISION NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL,
    last_used_at DOUBLE PRECISION NOT NULL,
    mfa_at DOUBLE PRECISION,              -- when the second factor was given; NULL: none was
    region TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    origin TEXT,                          -- the session of the browser that allowed this one
    generation BIGINT NOT NULL,           -- how often its refresh token was changed
    rotated_at DOUBLE PRECISION NOT NULL, -- when the last time was
    switched TEXT NOT NULL,               -- the role that a browser's session works as; empty: as itself
    ended_at DOUBLE PRECISION,
    ended_why TEXT NOT NULL               -- TOKEN_EXPIRED | USER_CREDENTIALS_CHANGED; empty while it lasts
);
CREATE INDEX signin_session_owner ON signin_session (account, owner_id);
CREATE INDEX signin_session_expires ON signin_session (expires_at);

CREATE TABLE signin_code (
    code_hash BLOB NOT NULL PRIMARY KEY,  -- SHA-256
    origin TEXT NOT NULL,                 -- the session of the browser that allowed it
    client TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,              -- PKCE's, of method S256 (RFC 7636)
    proof_key TEXT NOT NULL,              -- the thumbprint of the client's key where it was named beforehand (RFC 9449, section 10)
    expires_at DOUBLE PRECISION NOT NULL,
    used_at DOUBLE PRECISION,
    opened TEXT                           -- the session that it opened
);
CREATE INDEX signin_code_expires ON signin_code (expires_at);

-- What was used and may not be used again while it would still be valid: a client's proofs, sign-in tokens, challenges of passkeys.
CREATE TABLE signin_used (
    id BLOB NOT NULL PRIMARY KEY,         -- SHA-256 of the thing
    expires_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX signin_used_expires ON signin_used (expires_at);
