-- Up Migration

-- Whether an entry may land while base is frozen: it is the fix that the freeze waits for.
ALTER TABLE merge_entries ADD COLUMN fix boolean NOT NULL DEFAULT false;
