-- What requests used and cost, one row each, never changed. A month of `at`, UTC, is a partition. There is no default one:
-- rows that collected there would stand in the way of the partition that they belong to.
create table usage_events (
  -- The wide columns first, so that nothing is lost to alignment.
  at timestamptz not null,
  id uuid not null,
  account_id uuid not null,
  input_tokens bigint not null check (input_tokens between 0 and 9007199254740991),
  cached_input_tokens bigint not null check (cached_input_tokens between 0 and 9007199254740991),
  output_tokens bigint not null check (output_tokens between 0 and 9007199254740991),
  reasoning_tokens bigint check (reasoning_tokens between 0 and 9007199254740991),
  cost_nano_usd bigint not null check (cost_nano_usd between 0 and 9007199254740991),
  -- What is priced by time is priced by the microsecond.
  backend_us bigint not null check (backend_us between 0 and 9007199254740991),
  queue_ms integer not null check (queue_ms >= 0),
  first_token_ms integer check (first_token_ms >= 0),
  total_ms integer not null check (total_ms >= 0),
  is_stream boolean not null,
  is_estimate boolean not null,
  -- Words and not numbers: a byte or two more a row, and who reads the table needs no key to it.
  endpoint text not null check (endpoint in ('chat', 'completions', 'embeddings')),
  status text not null check (status in ('ok', 'partial', 'client_cancel', 'error', 'cache_hit', 'unknown')),
  request_id text not null check (char_length(request_id) between 1 and 256),
  key_id text check (char_length(key_id) between 1 and 64),
  tier text not null check (char_length(tier) between 1 and 63),
  model text not null check (char_length(model) between 1 and 256),
  answered_model text check (char_length(answered_model) between 1 and 256),
  backend text check (char_length(backend) between 1 and 256),
  target text check (char_length(target) between 1 and 256),
  experiment text check (char_length(experiment) between 1 and 64),
  arm text check (char_length(arm) between 1 and 256),
  price_version text check (char_length(price_version) between 1 and 128),
  error text check (char_length(error) between 1 and 128),
  -- Null where `backend` and `target` say all there is to say: there was none, or one and it answered.
  attempts jsonb check (jsonb_typeof(attempts) = 'array'),
  -- By the key of a partitioned table one id could come twice with two times; its own time makes that impossible.
  constraint usage_events_id_time check (
    at = timestamptz 'epoch'
      + ('x' || left(id::text, 8) || substr(id::text, 10, 4))::bit(48)::bigint * interval '1 millisecond'
  ),
  primary key (at, id)
) partition by range (at);
-- The events of one account or key, newest first.
create index usage_events_account on usage_events (account_id, at, id);
create index usage_events_key on usage_events (key_id, at, id);

-- All that sums of usage are kept apart by. The id is a digest of the rest: whoever inserts knows it without having read it.
-- Nothing has an empty name, so that here it stands for none, which can be compared.
create table usage_series (
  id uuid primary key,
  -- Null: of all accounts and keys.
  account_id uuid,
  key_id text collate "C" not null,
  tier text collate "C" not null,
  model text collate "C" not null,
  answered_model text collate "C" not null,
  backend text collate "C" not null,
  experiment text collate "C" not null,
  arm text collate "C" not null,
  endpoint text collate "C" not null,
  status text collate "C" not null,
  price_version text collate "C" not null
);
create index usage_series_account on usage_series (account_id);
create index usage_series_key on usage_series (key_id);

-- Sums of the events of an hour. Rows are updated all the time, hence the room on their pages.
create table usage_hourly (
  period timestamptz not null,
  series uuid not null,
  requests bigint not null,
  estimated bigint not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  reasoning_tokens bigint not null,
  cost_nano_usd bigint not null,
  backend_us bigint not null,
  queue_ms bigint not null,
  first_token_ms bigint not null,
  -- How many had one.
  first_tokens bigint not null,
  total_ms bigint not null,
  primary key (period, series)
) with (fillfactor = 80);
-- Of a day and of a month, UTC.
create table usage_daily (like usage_hourly including all) with (fillfactor = 80);
create table usage_monthly (like usage_hourly including all) with (fillfactor = 80);
-- The same of all accounts and keys together: most questions are not about one, and these are a tenth of the rows.
create table usage_hourly_totals (like usage_hourly including all) with (fillfactor = 80);
create table usage_daily_totals (like usage_hourly including all) with (fillfactor = 80);
create table usage_monthly_totals (like usage_hourly including all) with (fillfactor = 80);
-- What one account or key has used.
create index usage_hourly_series on usage_hourly (series, period);
create index usage_daily_series on usage_daily (series, period);
create index usage_monthly_series on usage_monthly (series, period);

-- Prices as they were when events were counted by them. A version is never changed.
create table price_versions (
  version text primary key check (char_length(version) between 1 and 128),
  model text not null check (char_length(model) between 1 and 256),
  -- Null: wherever the model has no other.
  target text check (char_length(target) between 1 and 256),
  price jsonb not null check (jsonb_typeof(price) = 'object'),
  effective_from timestamptz not null,
  first_seen_at timestamptz not null default now()
);

-- Events of months before this one have been dropped, so nobody can know any more which of them are new.
create table usage_retention (
  is_only boolean primary key default true check (is_only),
  kept_from timestamptz not null
);
-- There was no Weir before; an earlier time is that of a clock that was never set.
insert into usage_retention (kept_from) values ('2020-01-01T00:00:00Z');

-- Not to_regclass, which may remember what was there before it had to wait for a lock.
create view weir_usage_partitions as
  select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'usage_events'::regclass;

-- Makes the partition of the month that begins at `month`. It is attached and not created in its place, since only that
-- leaves those alone who insert at the same time. Whoever makes or drops partitions waits for the others. Returns whether there
-- was none.
create function weir_make_usage_partition(month timestamptz) returns boolean language plpgsql as $$
declare
  partition text := 'usage_events_' || to_char(month at time zone 'UTC', 'YYYY_MM');
  ends timestamptz := (month at time zone 'UTC' + interval '1 month') at time zone 'UTC';
begin
  if month is null then
    raise exception 'an event has no time' using errcode = '22004';
  end if;
  if exists (select from weir_usage_partitions p where p.name = partition) then
    return false;
  end if;
  perform pg_advisory_xact_lock(7305226815);
  if exists (select from weir_usage_partitions p where p.name = partition) then
    return false;
  end if;
  if month < (select kept_from from usage_retention) then
    raise exception 'events of % are not kept any more', to_char(month at time zone 'UTC', 'YYYY-MM')
      using errcode = '22008', hint = 'They were dropped by retention, or a clock was wrong.';
  end if;
  if month > now() + interval '1 year' then
    raise exception 'events of % are more than a year ahead', to_char(month at time zone 'UTC', 'YYYY-MM')
      using errcode = '22008', hint = 'Set the clock of the machine that made them.';
  end if;
  execute format('create table %I (like usage_events including defaults including constraints)', partition);
  execute format('alter table usage_events attach partition %I for values from (%L) to (%L)', partition, month, ends);
  return true;
end
$$;

-- Drops the oldest partition if all of it is before `month`; returns its name, null where there is none. It waits a moment at
-- most for those who use the table, since everybody else waits behind it: fails with 55P03 then.
create function weir_drop_usage_partition(month timestamptz) returns text language plpgsql set lock_timeout = '100ms' as $$
declare
  oldest text;
  ends timestamptz;
begin
  perform pg_advisory_xact_lock(7305226815);
  select min(name) into oldest from weir_usage_partitions;
  ends := (to_date(right(oldest, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC';
  if oldest is null or ends > month then
    return null;
  end if;
  execute format('drop table %I', oldest);
  update usage_retention set kept_from = greatest(kept_from, ends);
  return oldest;
end
$$;
