-- Points: double entry, in two phases (TigerBeetle's pending transfers).

-- +goose Up
-- Only accounts of users keep counters. Those of the system are sums of
-- transfers: a counter there would be one row that every order fights for.
CREATE TABLE ledger_accounts (
  account_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner       text   NOT NULL UNIQUE, -- users/{uuid} or system/{issued,redeemed}
  posted      bigint NOT NULL DEFAULT 0,
  pending_out bigint NOT NULL DEFAULT 0 CHECK (pending_out >= 0),
  CONSTRAINT no_overdraft CHECK (posted - pending_out >= 0)
) WITH (fillfactor = 85);
INSERT INTO ledger_accounts (owner) VALUES ('system/issued'), ('system/redeemed');

CREATE TABLE ledger_transfers (
  transfer_id uuid PRIMARY KEY,
  -- No foreign keys: every order with points would lock the system's accounts.
  debit       bigint NOT NULL,
  credit      bigint NOT NULL,
  amount      bigint NOT NULL CHECK (amount > 0),
  kind        text   NOT NULL CHECK (kind IN ('grant', 'redeem', 'return')),
  order_id    uuid   REFERENCES orders,
  -- What made it: the request that redeemed or granted, the transfer that a
  -- return gives back. A repetition meets the key.
  cause       uuid   NOT NULL,
  state       text   NOT NULL CHECK (state IN ('pending', 'posted', 'voided')),
  create_time timestamptz NOT NULL DEFAULT now(),
  CHECK (debit <> credit),
  CHECK ((kind = 'grant') = (order_id IS NULL)),
  UNIQUE NULLS NOT DISTINCT (order_id, kind, cause)
);
CREATE UNIQUE INDEX one_pending_redemption ON ledger_transfers (order_id) WHERE kind = 'redeem' AND state = 'pending';
CREATE INDEX ledger_transfers_by_debit  ON ledger_transfers (debit);
CREATE INDEX ledger_transfers_by_credit ON ledger_transfers (credit);

-- +goose StatementBegin
CREATE FUNCTION ledger_transfer_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.state = 'pending' AND NEW.state IN ('posted', 'voided')
     AND (NEW.transfer_id, NEW.debit, NEW.credit, NEW.amount, NEW.kind, NEW.order_id, NEW.cause, NEW.create_time)
         IS NOT DISTINCT FROM (OLD.transfer_id, OLD.debit, OLD.credit, OLD.amount, OLD.kind, OLD.order_id, OLD.cause, OLD.create_time) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a transfer changes once, from pending to posted or voided' USING ERRCODE = 'CF001';
END $$;
-- +goose StatementEnd
CREATE TRIGGER ledger_transfer_guard BEFORE UPDATE OR DELETE ON ledger_transfers
  FOR EACH ROW EXECUTE FUNCTION ledger_transfer_guard();

-- +goose Down
DROP TABLE ledger_transfers;
DROP TABLE ledger_accounts;
DROP FUNCTION ledger_transfer_guard;
