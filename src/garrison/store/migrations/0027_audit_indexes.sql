-- Every call pays for every index of the trail. Resources are looked up by their names (an ARN by the name in it) and from
-- there by type; events by their ids, which begin with their time, so that an index on them grows at its end.
DROP INDEX audit_resource_arn;
DROP INDEX audit_resource_type;
