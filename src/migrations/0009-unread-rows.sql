-- What is over is removed by when its period or its last try was over, whichever was later, and not by reading all there is.
create index webhook_deliveries_over on webhook_deliveries (greatest(ended_at, period_ends)) where state <> 'pending';
create index webhook_deliveries_dead on webhook_deliveries (id) where state = 'dead';

-- As with usage and invoices, whoever they are of: what was billed can be given back, also where the account's row is gone.
alter table billing_credits drop constraint billing_credits_account_id_fkey;
