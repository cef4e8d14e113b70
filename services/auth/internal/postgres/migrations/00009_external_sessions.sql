-- +goose NO TRANSACTION
-- +goose Up
-- From where a session came that began with a token of an external issuer: the
-- iss of that token, and its sid if it had one.
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS external_issuer text, ADD COLUMN IF NOT EXISTS external_sid text;
-- The index is of those that live: the others, of which there are many more, are
-- nothing to whoever revokes an issuer. Built without a lock; a try that failed leaves an index that is not valid.
DROP INDEX CONCURRENTLY IF EXISTS sessions_external;
CREATE INDEX CONCURRENTLY sessions_external ON sessions (external_issuer, id) WHERE external_issuer IS NOT NULL AND revoked_at IS NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS sessions_external;
ALTER TABLE sessions DROP COLUMN IF EXISTS external_issuer, DROP COLUMN IF EXISTS external_sid;
