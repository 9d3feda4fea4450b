"""Who calls: users, groups, roles, temporary credentials, and what each may do."""
