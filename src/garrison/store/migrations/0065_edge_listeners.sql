-- Where proxies of the firewall listen. To web ACLs each is an application load balancer.

CREATE TABLE edge_listener (
    arn TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,               -- host:port that clients connect to
    upstream TEXT NOT NULL,              -- URL of the protected application
    tls BIGINT NOT NULL,                 -- 0 or 1
    fail_open BIGINT NOT NULL,           -- 0 or 1: whether requests pass while no inspector answers
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (arn)
);
CREATE UNIQUE INDEX edge_listener_name ON edge_listener (account, region, name);
