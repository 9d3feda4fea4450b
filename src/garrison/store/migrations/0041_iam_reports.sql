-- Reports that the background makes: credentials of an account's users, and when identities last used which services.

-- At most one of an account. While it is made, after_id is the last user whose line is done.
CREATE TABLE iam_credential_report (
    account TEXT NOT NULL,
    state TEXT NOT NULL,                 -- INPROGRESS | COMPLETE
    started DOUBLE PRECISION NOT NULL,
    after_id TEXT NOT NULL,              -- empty: none yet
    generated DOUBLE PRECISION,          -- NULL until it is complete
    PRIMARY KEY (account)
);
CREATE INDEX iam_credential_report_state ON iam_credential_report (state);

-- A line for each user, only while the report is made: users are gone through by their ids, which no renaming changes.
CREATE TABLE iam_credential_report_line (
    account TEXT NOT NULL,
    name_folded TEXT NOT NULL,           -- the order of the report; empty: the root user
    owner_id TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (account, name_folded, owner_id)
);

-- The finished report, in pieces of a thousand lines.
CREATE TABLE iam_credential_report_part (
    account TEXT NOT NULL,
    number BIGINT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (account, number)
);

-- The last attempt of each identity at each action, as the audit trail has it up to iam_last_access_cursor.position.
CREATE TABLE iam_last_access (
    account TEXT NOT NULL,
    entity_id TEXT NOT NULL,             -- AIDA..., AROA...; the account's number: the root user
    service TEXT NOT NULL,               -- kms
    action TEXT NOT NULL,                -- Decrypt
    at DOUBLE PRECISION NOT NULL,
    region TEXT NOT NULL,
    PRIMARY KEY (account, entity_id, service, action)
);
CREATE INDEX iam_last_access_service ON iam_last_access (account, service);

CREATE TABLE iam_last_access_cursor (
    name TEXT NOT NULL PRIMARY KEY,      -- trail: there is one row at most
    position BIGINT NOT NULL             -- audit_event.id
);

CREATE TABLE iam_access_job (
    account TEXT NOT NULL,
    job_id TEXT NOT NULL,                -- a UUID
    kind TEXT NOT NULL,                  -- identity | organization
    subject TEXT NOT NULL,               -- an ARN; of an organization: the entity's path
    detail TEXT NOT NULL,                -- SERVICE_LEVEL | ACTION_LEVEL; of an organization: the policy's id or empty
    requested_by TEXT NOT NULL,          -- the caller's unique id: nobody else reads the report
    status TEXT NOT NULL,                -- IN_PROGRESS | COMPLETED | FAILED
    created DOUBLE PRECISION NOT NULL,
    until BIGINT,                        -- audit_event.id that must have been looked at; NULL: not begun
    completed DOUBLE PRECISION,          -- NULL until it has ended
    error_code TEXT NOT NULL,            -- empty unless it failed
    error_message TEXT NOT NULL,
    result TEXT NOT NULL,                -- JSON; empty until it is completed
    PRIMARY KEY (account, job_id)
);
CREATE INDEX iam_access_job_status ON iam_access_job (status);
