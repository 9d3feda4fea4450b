-- Transfers of responsibility: the management account of one organization takes over the bills of another.
CREATE TABLE org_transfer (
    transfer_id TEXT NOT NULL,           -- rt-...
    type TEXT NOT NULL,                  -- BILLING
    name TEXT NOT NULL,
    status TEXT NOT NULL,                -- REQUESTED | DECLINED | CANCELED | ACCEPTED | WITHDRAWN; past its end REQUESTED reads as EXPIRED
    source_organization TEXT NOT NULL,   -- whose bills they are
    source_account TEXT NOT NULL,        -- its management account
    target_organization TEXT NOT NULL,   -- who takes them over: the one that asked
    target_account TEXT NOT NULL,
    starts DOUBLE PRECISION NOT NULL,
    ends DOUBLE PRECISION,               -- NULL: no end is set
    handshake_id TEXT NOT NULL,
    PRIMARY KEY (transfer_id)
);
CREATE INDEX org_transfer_source ON org_transfer (source_organization, transfer_id);
CREATE INDEX org_transfer_target ON org_transfer (target_organization, transfer_id);
