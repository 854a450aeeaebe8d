-- What accounts and keys have used of what is limited per day and month. Sums by series say the same, but an account may have
-- a hundred thousand of those, and whoever asks about limits asks often.
create table usage_spending (
  account_id uuid not null,
  -- Empty: the account with all its keys, and with its requests that had none.
  key_id text collate "C" not null,
  unit text collate "C" not null check (unit in ('day', 'month')),
  period timestamptz not null,
  -- Of input and output. Not bigint: what one series of an account can hold, all of them together may exceed.
  tokens numeric not null,
  cost_nano_usd numeric not null,
  primary key (account_id, key_id, unit, period)
) with (fillfactor = 80);

-- Which tiers the tokens of an issuer have said on which day: of requests without a key.
create table usage_token_tiers (
  account_id uuid not null,
  day timestamptz not null,
  tier text collate "C" not null,
  primary key (account_id, day, tier)
);

-- Adds what is in `added`. A trigger and not a part of the statement that inserts events, so that nothing is left out that a
-- replica of the version before inserts during a rolling update. It comes when all else of that statement is done, so these
-- locks are its last, and in the order of their keys: nobody waits for another in a circle.
create function weir_add_usage_spending() returns trigger language plpgsql as $$
begin
  insert into usage_spending as kept (account_id, key_id, unit, period, tokens, cost_nano_usd)
  with days as materialized (
    select account_id, key_id collate "C" as key_id, date_trunc('day', at, 'UTC') as day,
           sum(input_tokens + output_tokens) as tokens, sum(cost_nano_usd) as cost
    from added group by 1, 2, 3
  ),
  owners as (
    select account_id, key_id, day, tokens, cost from days where key_id is not null
    union all
    select account_id, '', day, sum(tokens), sum(cost) from days group by 1, 3
  )
  select account_id, key_id, unit, date_trunc(unit, day, 'UTC') as period, sum(tokens), sum(cost)
  from owners cross join (values ('day'), ('month')) as units (unit)
  group by 1, 2, 3, 4 order by 1, 2, 3, 4
  on conflict (account_id, key_id, unit, period) do update
    set tokens = kept.tokens + excluded.tokens, cost_nano_usd = kept.cost_nano_usd + excluded.cost_nano_usd;

  insert into usage_token_tiers (account_id, day, tier)
  select distinct account_id, date_trunc('day', at, 'UTC'), tier collate "C"
  from added where key_id is null order by 1, 2, 3
  on conflict (account_id, day, tier) do nothing;
  return null;
end
$$;

-- From here to the end nobody else inserts events, so that each is counted once.
create trigger usage_events_spending after insert on usage_events
  referencing new table as added for each statement execute function weir_add_usage_spending();

insert into usage_spending (account_id, key_id, unit, period, tokens, cost_nano_usd)
select account_id, coalesce(key_id, ''), unit, period, sum(tokens), sum(cost)
from (
  select 'day' as unit, period, account_id, key_id, input_tokens + output_tokens as tokens, cost_nano_usd as cost
  from usage_daily join usage_series on id = series
  union all
  select 'month', period, account_id, key_id, input_tokens + output_tokens, cost_nano_usd
  from usage_monthly join usage_series on id = series
) as used
group by grouping sets ((account_id, unit, period), (account_id, key_id, unit, period))
-- The requests that had no key are in the sums of accounts and have none of their own.
having grouping(key_id) = 1 or key_id <> '';

insert into usage_token_tiers (account_id, day, tier)
select distinct account_id, period, tier from usage_daily join usage_series on id = series where key_id = '';
