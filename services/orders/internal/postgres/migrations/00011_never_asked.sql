-- +goose NO TRANSACTION
-- +goose Up
-- An attempt that the provider was never asked for ends as what it is. The rule
-- is looked at for old rows without a lock that keeps anybody waiting; a try that
-- failed leaves it unlooked at, and is made again.
ALTER TABLE payment_attempts
  DROP CONSTRAINT IF EXISTS payment_attempts_state_check,
  DROP CONSTRAINT IF EXISTS payment_attempts_state_known,
  ADD CONSTRAINT payment_attempts_state_known
    CHECK (state IN ('in_flight', 'indeterminate', 'succeeded', 'declined', 'never_asked')) NOT VALID;
ALTER TABLE payment_attempts VALIDATE CONSTRAINT payment_attempts_state_known;

-- +goose Down
ALTER TABLE payment_attempts
  DROP CONSTRAINT IF EXISTS payment_attempts_state_known,
  DROP CONSTRAINT IF EXISTS payment_attempts_state_check,
  ADD CONSTRAINT payment_attempts_state_check
    CHECK (state IN ('in_flight', 'indeterminate', 'succeeded', 'declined')) NOT VALID;
