-- Rows, an index and an aggregate in memory.
pragma cache_size = -65536;
create table words(id integer primary key, word text, size integer);
with recursive number(i) as (select 1 union all select i + 1 from number where i < 60000)
insert into words select i, hex(i * 2654435761 % 1000003) || printf('%.*c', i % 200, 'x'), i % 200 from number;
create index by_word on words(word);
select count(*), sum(length(word)), min(word), max(word) from words;
select size, count(*), max(word) from words group by size having size % 37 = 0 order by size;
delete from words where id % 3 = 0;
select length(group_concat(word, ',')) from words;
select hex(zeroblob(4)), length(zeroblob(20000000));
