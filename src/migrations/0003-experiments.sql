-- What administrators have said of experiments, by the names that the configuration gives them; arms and weights stay there.
create table experiment_states (
  name text primary key check (char_length(name) between 1 and 64),
  status text not null check (status in ('running', 'paused', 'ended')),
  ramp_percent smallint not null check (ramp_percent between 0 and 100),
  winner text check (char_length(winner) between 1 and 32),
  updated_at timestamptz not null,
  check ((status = 'ended') = (winner is not null))
);

alter table audit_log
  drop constraint audit_log_target_kind_check,
  add constraint audit_log_target_kind_check check (target_kind in ('account', 'key', 'experiment'));
