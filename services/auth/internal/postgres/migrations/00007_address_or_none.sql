-- +goose NO TRANSACTION
-- +goose Up
-- A user who comes from an external issuer has no address: users.email is then
-- empty and not NULL, which releases before this one could not read. Built
-- without a lock; a try that failed leaves an index that is not valid.
DROP INDEX CONCURRENTLY IF EXISTS users_address;
CREATE UNIQUE INDEX CONCURRENTLY users_address ON users (email) WHERE email <> '';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS users_address;
