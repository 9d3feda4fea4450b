-- KMS: rotation, imported material, and multi-Region keys.

ALTER TABLE kms_key ADD COLUMN rotation_days INTEGER;                 -- days between automatic rotations; NULL: there are none
ALTER TABLE kms_key ADD COLUMN rotation_at REAL;                      -- when the next one is due
ALTER TABLE kms_key ADD COLUMN rotations_on_demand INTEGER NOT NULL DEFAULT 0;
ALTER TABLE kms_key ADD COLUMN primary_region TEXT NOT NULL DEFAULT '';  -- of a multi-Region key; empty for any other
CREATE INDEX kms_key_rotation ON kms_key (rotation_at);
CREATE INDEX kms_key_related ON kms_key (key_id, region);

ALTER TABLE kms_material ADD COLUMN number INTEGER NOT NULL DEFAULT 1;   -- in the order in which they came
-- CURRENT | NON_CURRENT | PENDING_ROTATION | PENDING_MULTI_REGION_IMPORT_AND_ROTATION
ALTER TABLE kms_material ADD COLUMN state TEXT NOT NULL DEFAULT 'CURRENT';
ALTER TABLE kms_material ADD COLUMN rotated_at REAL;                     -- NULL: the first material, or one that waits
ALTER TABLE kms_material ADD COLUMN rotation_type TEXT NOT NULL DEFAULT '';  -- AUTOMATIC | ON_DEMAND
ALTER TABLE kms_material ADD COLUMN present INTEGER NOT NULL DEFAULT 1;  -- 0: imported once, and deleted or expired since; sealed is empty
ALTER TABLE kms_material ADD COLUMN valid_to REAL;                       -- NULL: does not expire
ALTER TABLE kms_material ADD COLUMN description TEXT NOT NULL DEFAULT '';
CREATE INDEX kms_material_expiry ON kms_material (valid_to);
