-- Why the checkout of a remote stayed behind at a landing, and the command that mends it; null where it did not.
ALTER TABLE landings ADD COLUMN checkout_behind jsonb;
