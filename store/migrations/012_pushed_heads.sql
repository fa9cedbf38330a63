-- Up Migration

-- Commits that were pushed, or were about to be, on the branch of a pull request: any other is somebody else's work and
-- stays. Null = nothing was noted when this row was made, so whatever is there counts as ours once more.
ALTER TABLE pull_requests ADD COLUMN pushed text[];
ALTER TABLE pull_requests ALTER COLUMN pushed SET DEFAULT '{}';
