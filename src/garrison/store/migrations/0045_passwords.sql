-- Passwords of users and root users, and wrong guesses of any kind.

-- A row: its owner may sign in with a password.
CREATE TABLE iam_login_profile (
    account TEXT NOT NULL,
    owner_id TEXT NOT NULL,              -- AIDA...; the account's number: the root user's
    hash BLOB NOT NULL,                  -- argon2id in PHC form; sealed for purpose "password", associated with account/owner_id
    history BLOB NOT NULL,               -- JSON list of the passwords before it, the newest first, sealed alike
    created DOUBLE PRECISION NOT NULL,
    changed DOUBLE PRECISION NOT NULL,   -- when the present password was set
    reset_required BIGINT NOT NULL,      -- 0 or 1: whether the next sign-in must set another
    max_session BIGINT,                  -- seconds of a sign-in session; NULL: not set
    PRIMARY KEY (account, owner_id)
);

-- Wrong passwords and codes by whom they were about, and by where they came from. It is the store that counts: all workers agree,
-- and a restart forgets nothing.
CREATE TABLE identity_attempt (
    subject TEXT NOT NULL PRIMARY KEY,   -- a keyed hash: what was typed as a user name may be a password
    failures BIGINT NOT NULL,            -- since the last success
    locked_until DOUBLE PRECISION NOT NULL,
    forgotten_at DOUBLE PRECISION NOT NULL -- from then on the row counts for nothing
);
CREATE INDEX identity_attempt_forgotten ON identity_attempt (forgotten_at);
