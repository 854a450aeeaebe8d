-- Who owns keys and pays.
create table accounts (
  id uuid primary key,
  name text not null unique check (char_length(name) between 1 and 128),
  tier text not null check (char_length(tier) between 1 and 63),
  status text not null default 'active' check (status in ('active', 'suspended')),
  created_at timestamptz not null default now()
);

-- Its id is fixed, so that the preset admin key has an account also while the database is down.
insert into accounts (id, name, tier) values ('00000000-0000-7000-8000-000000000000', 'default', 'enterprise');

-- No key can be made from what is kept here: digest is HMAC-SHA256 under a pepper that the database never sees.
create table api_keys (
  public_id text primary key check (char_length(public_id) = 16),
  account_id uuid not null references accounts (id),
  name text not null check (char_length(name) between 1 and 128),
  digest bytea not null check (octet_length(digest) = 32),
  pepper_version smallint not null,
  -- Null: all that the account's tier has.
  scopes text[],
  models text[],
  expires_at timestamptz,
  revoked_at timestamptz,
  metadata jsonb not null default '{}',
  created_at timestamptz not null,
  last_used_at timestamptz
);

create index api_keys_account on api_keys (account_id, created_at);
