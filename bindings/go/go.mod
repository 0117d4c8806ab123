module hakmem

go 1.19
