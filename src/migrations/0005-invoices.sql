-- What accounts owe, by the month, UTC. The invoices of an open month are worked out from the sums of usage; closing it writes
-- them down for good. What comes in late for a closed month is the difference between its sums and all lines that were ever
-- written for it, so it is billed once, whenever it comes.

-- Months that were closed, one after the other: each follows another one, and of two closings at once, of whatever months,
-- one finds that place taken.
create table billing_months (
  month timestamptz primary key check (month = date_trunc('month', month, 'UTC')),
  follows timestamptz unique nulls not distinct references billing_months,
  closed_at timestamptz not null,
  check (month = (follows at time zone 'UTC' + interval '1 month') at time zone 'UTC')
);

-- How many requests of which month's usage were billed with a month: where there are more by now, some came late.
create table billed_usage (
  month timestamptz not null references billing_months,
  usage_month timestamptz not null,
  requests numeric not null check (requests > 0),
  primary key (month, usage_month)
);

-- Money given back. It is on the invoice of the first month that is closed afterwards.
create table billing_credits (
  id uuid primary key,
  account_id uuid not null references accounts (id),
  amount_nano_usd bigint not null check (amount_nano_usd between 1 and 9000000000000000),
  reason text not null check (char_length(reason) between 1 and 500),
  -- Which it corrects; null where it is about none.
  month timestamptz check (month = date_trunc('month', month, 'UTC')),
  created_at timestamptz not null,
  created_by text not null,
  idempotency_key text,
  request_digest bytea not null
);
create index billing_credits_account on billing_credits (account_id, id);
create unique index billing_credits_idempotency on billing_credits (created_by, idempotency_key)
  where idempotency_key is not null;

create table invoices (
  month timestamptz not null references billing_months,
  -- As with events, whoever they are of: what was used is owed.
  account_id uuid not null,
  -- Its number is the month and this.
  sequence integer not null check (sequence > 0),
  -- As it was called then.
  account_name text,
  primary key (month, account_id),
  unique (month, sequence)
);

create table invoice_lines (
  month timestamptz not null,
  account_id uuid not null,
  -- Of usage all zeros, which come first; what tells credits apart else.
  credit_id uuid not null,
  -- When it was used; of a credit the month that it corrects, else that of the invoice.
  usage_month timestamptz not null,
  model text collate "C" not null,
  -- Empty: it had no price.
  price_version text collate "C" not null,
  requests numeric not null,
  estimated numeric not null,
  input_tokens numeric not null,
  cached_input_tokens numeric not null,
  output_tokens numeric not null,
  backend_us numeric not null,
  -- The exact sum of the events' costs; of a credit below 0.
  amount_nano_usd numeric not null,
  price jsonb,
  reason text,
  primary key (month, account_id, credit_id, usage_month, model, price_version),
  foreign key (month, account_id) references invoices (month, account_id)
);
create index invoice_lines_usage on invoice_lines (usage_month, account_id);
create unique index invoice_lines_credit on invoice_lines (credit_id)
  where credit_id <> '00000000-0000-0000-0000-000000000000';

create function weir_refuse_billing_change() returns trigger language plpgsql as $$
begin
  raise exception 'what was billed or credited never changes' using hint = 'Make a credit: it is on the next invoice.';
end
$$;

-- Nothing is added to a month by anyone but whoever closes it, and that is one statement.
create function weir_refuse_late_billing() returns trigger language plpgsql as $$
begin
  if exists (select from added join billing_months m using (month) where m.xmin <> pg_current_xact_id()::xid) then
    raise exception 'the month is closed: nothing is added to its invoices'
      using hint = 'Make a credit: it is on the next invoice.';
  end if;
  return null;
end
$$;

do $$
declare
  name text;
begin
  foreach name in array array['billing_months', 'billed_usage', 'billing_credits', 'invoices', 'invoice_lines'] loop
    execute format('create trigger %I before update or delete on %I for each row execute function weir_refuse_billing_change()',
      name || '_never_change', name);
    execute format('create trigger %I before truncate on %I for each statement execute function weir_refuse_billing_change()',
      name || '_stay', name);
  end loop;
  foreach name in array array['billed_usage', 'invoices', 'invoice_lines'] loop
    execute format('create trigger %I after insert on %I referencing new table as added for each statement execute function weir_refuse_late_billing()',
      name || '_are_complete', name);
  end loop;
end
$$;

alter table audit_log
  drop constraint audit_log_target_kind_check,
  add constraint audit_log_target_kind_check
    check (target_kind in ('account', 'key', 'experiment', 'credit', 'billing_month'));
