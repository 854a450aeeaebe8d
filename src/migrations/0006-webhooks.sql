-- What is to be posted to webhooks, and what became of it. Receivers are named as in weir.yaml, where their URLs stay.
create table webhook_deliveries (
  id uuid primary key,
  webhook text collate "C" not null check (char_length(webhook) between 1 and 63),
  account_id uuid not null,
  -- Empty: the limit is the account's.
  key_id text collate "C" not null check (char_length(key_id) <= 64),
  limit_name text collate "C" not null check (limit_name in ('tokens_per_month', 'spend_per_day', 'spend_per_month')),
  -- 2026-11 or 2026-11-24.
  period text collate "C" not null check (char_length(period) in (7, 10)),
  period_ends timestamptz not null,
  percent smallint not null check (percent between 1 and 100),
  -- In tokens or nano-USD.
  size bigint not null check (size > 0),
  -- Text and not jsonb: what is signed is posted letter by letter.
  body text not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
  -- Counted when one begins. Whoever ends it says which one it was: after its lease it may be another's.
  tries integer not null default 0,
  -- Not before; while it is tried, the end of the lease.
  due_at timestamptz not null default now(),
  -- When it is given up.
  expires_at timestamptz not null,
  last_error text check (char_length(last_error) <= 128),
  created_at timestamptz not null default now(),
  ended_at timestamptz check ((ended_at is null) = (state = 'pending')),
  -- Each is told once, whoever notices it, and anew where the limit is another one.
  constraint webhook_deliveries_once unique (webhook, account_id, key_id, limit_name, period, percent, size)
);
create index webhook_deliveries_due on webhook_deliveries (webhook, due_at) where state = 'pending';
create index webhook_deliveries_state on webhook_deliveries (state, id);

alter table audit_log
  drop constraint audit_log_target_kind_check,
  add constraint audit_log_target_kind_check
    check (target_kind in ('account', 'key', 'experiment', 'credit', 'billing_month', 'webhook_delivery'));
