-- The name of an account that was deleted may be used again; its row stays, since keys, usage and the audit log name it.
-- What is deleted is suspended as well, so that a program of the schema before lets nobody in.
alter table accounts
  drop constraint accounts_name_key,
  -- What differs from the tier's limits, in the words of the admin API: absent is the tier's, null is without limit.
  add column limits jsonb not null default '{}' check (jsonb_typeof(limits) = 'object'),
  add column metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  add column updated_at timestamptz not null default now(),
  add column deleted_at timestamptz check (deleted_at is null or status = 'suspended'),
  -- Who asked for it by which Idempotency-Key, and a digest of what was asked, to tell a repetition from another request.
  add column created_by text,
  add column idempotency_key text,
  add column request_digest bytea;
create unique index accounts_name on accounts (name) where deleted_at is null;
create unique index accounts_idempotency on accounts (created_by, idempotency_key) where idempotency_key is not null;

-- Who an issuer's tokens speak for: `subject` is the value of the claim that the configuration names.
create table account_identities (
  -- Both fit into one entry of the index, of which PostgreSQL takes 2,704 bytes at the most.
  issuer text not null check (octet_length(issuer) between 1 and 1024),
  subject text not null check (char_length(subject) between 1 and 256),
  account_id uuid not null references accounts (id),
  created_at timestamptz not null default now(),
  primary key (issuer, subject)
);
create index account_identities_account on account_identities (account_id);

alter table api_keys
  -- Of its own, beside the account's: the tighter one holds.
  add column limits jsonb not null default '{}' check (jsonb_typeof(limits) = 'object'),
  add column updated_at timestamptz not null default now(),
  -- The key that this one was made for in a rotation. A key is replaced once.
  add column replaces text references api_keys (public_id),
  add column created_by text,
  add column idempotency_key text,
  add column request_digest bytea;
create unique index api_keys_replaces on api_keys (replaces) where replaces is not null;
create unique index api_keys_idempotency on api_keys (created_by, idempotency_key) where idempotency_key is not null;
create index api_keys_created on api_keys (created_at, public_id);

-- Every change of accounts and keys: written by the statement that makes the change, and never changed itself.
create table audit_log (
  id uuid primary key,
  at timestamptz not null default now(),
  actor_kind text not null check (actor_kind in ('admin-key', 'key', 'jwt', 'command', 'system')),
  -- The public id of the key, or `issuer subject`; null where the kind says it all.
  actor_id text,
  actor_account uuid,
  action text not null,
  target_kind text not null check (target_kind in ('account', 'key')),
  target_id text not null,
  before jsonb,
  after jsonb,
  request_id text
);
create index audit_log_target on audit_log (target_id, id);
create index audit_log_actor on audit_log (actor_id, id);
create index audit_log_action on audit_log (action, id);

create function weir_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only';
end
$$;
create trigger audit_log_append_only before update or delete on audit_log
  for each row execute function weir_refuse_change();
create trigger audit_log_keeps_all before truncate on audit_log
  for each statement execute function weir_refuse_change();

-- A fingerprint of each pepper, so that a wrong one is noticed at the start and not by every caller.
create table peppers (
  version smallint primary key,
  fingerprint bytea not null,
  created_at timestamptz not null default now()
);
