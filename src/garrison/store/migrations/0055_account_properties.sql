-- What PutAccountProperties set. No row: the property's default.
CREATE TABLE iam_account_property (
    account TEXT NOT NULL,
    name TEXT NOT NULL,                  -- RoleManager/Enabled
    value TEXT NOT NULL,
    PRIMARY KEY (account, name)
);
