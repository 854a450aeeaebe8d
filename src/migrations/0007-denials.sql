-- Requests that limits have refused, counted by the minute: a row for each would let whoever is refused fill the database.
create table usage_denials (
  minute timestamptz not null,
  -- Of one count as one process has made it: whoever writes it a second time changes nothing. A minute may have several.
  id uuid not null,
  account_id uuid not null,
  denials bigint not null check (denials > 0),
  key_id text collate "C" check (char_length(key_id) between 1 and 64),
  tier text collate "C" not null check (char_length(tier) between 1 and 63),
  limit_name text collate "C" not null check (char_length(limit_name) between 1 and 64),
  owner text collate "C" not null check (owner in ('account', 'key')),
  primary key (minute, id)
);
create index usage_denials_account on usage_denials (account_id, minute);
