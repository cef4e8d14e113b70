-- +goose Up
-- users_address has its place. It is unique too, and releases before this one
-- tell an address that is taken by the class of the error.
ALTER TABLE users DROP CONSTRAINT users_email_key;

-- Who the subjects of external issuers are. Accounts are never linked by address.
CREATE TABLE external_identities (
  issuer     text NOT NULL,
  subject    text NOT NULL,
  user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_identities_user ON external_identities (user_id);

-- +goose Down
DROP TABLE external_identities;
DELETE FROM users WHERE email = '';
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
