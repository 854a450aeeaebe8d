-- Whether those who ask by this key may be answered what was answered to a question that means the same.
alter table api_keys add column semantic_cache boolean not null default false;
