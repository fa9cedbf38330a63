-- Up Migration

-- The document that was decided on, by its content; null: the stage names none, or the row is older than this column.
ALTER TABLE decisions ADD COLUMN blob text;
