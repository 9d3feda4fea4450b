-- Whose permissions boundary a managed policy is: asked whenever one is shown, changed or deleted.
CREATE INDEX iam_user_boundary ON iam_user (account, boundary_arn);
CREATE INDEX iam_role_boundary ON iam_role (account, boundary_arn);
