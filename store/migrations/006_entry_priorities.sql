-- Up Migration

-- Priority that a person gave to an entry while it waits; null = that of its task.
ALTER TABLE merge_entries ADD COLUMN priority text;
-- Rises with each change by a person, so that a message that comes late changes nothing.
ALTER TABLE merge_entries ADD COLUMN edits integer NOT NULL DEFAULT 0;
