-- Up Migration

CREATE TABLE task_dependencies (
  repo text NOT NULL,
  work_item text NOT NULL,
  depends_on_repo text NOT NULL,
  depends_on_item text NOT NULL,
  on_failure text NOT NULL CHECK (on_failure IN ('wait', 'continue', 'cancel')),
  -- Begins with the work of the other before that has landed.
  stack boolean NOT NULL,
  -- The other may be deleted with its repository: then it counts as failed.
  PRIMARY KEY (repo, work_item, depends_on_repo, depends_on_item)
);
CREATE INDEX task_dependents ON task_dependencies (depends_on_repo, depends_on_item);
-- The commit of another task that the branch was cut from.
ALTER TABLE tasks ADD COLUMN stack_base text;
