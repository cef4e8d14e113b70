-- +goose Up
-- When the access token of the current generation was made, if that was after
-- the generation: an answer to a retry key that came late has a new one.
-- Releases before this one write rotated_at only, so the later of the two counts.
ALTER TABLE sessions ADD COLUMN issued_at timestamptz;

-- +goose Down
ALTER TABLE sessions DROP COLUMN issued_at;
