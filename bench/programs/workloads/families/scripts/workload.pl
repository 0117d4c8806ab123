# Word counts, regular expressions, sorting and nested structures over the file given; prints all it finds.
use strict;
use warnings;

open(my $file, '<', $ARGV[0]) or die "cannot read $ARGV[0]: $!";
my @lines = <$file>;
close($file);
chomp @lines;

my %count;
$count{$_}++ for map { split ' ' } @lines;
print "word $_ $count{$_}\n" for sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;

my ($changed, $captured) = (0, 0);
my %pairs;
for my $line (@lines) {
    (my $copy = $line) =~ s/([aeiou])([^aeiou\s]+)/$2$1/g;
    $changed += $copy ne $line;
    while ($line =~ /\b(\w)(\w*)\s+(\w+)/g) {
        push @{ $pairs{$1}{ length $3 } }, "$3$2";
        $captured++;
    }
}
print "changed $changed captured $captured\n";

for my $first (sort keys %pairs) {
    for my $length (sort { $a <=> $b } keys %{ $pairs{$first} }) {
        my @sorted = sort @{ $pairs{$first}{$length} };
        print join(' ', 'pair', $first, $length, scalar @sorted, @sorted[0, -1]), "\n";
    }
}

my $joined = join("\n", reverse @lines);
my $checksum = 0;
$checksum = ($checksum * 31 + ord) % 1_000_000_007 for split //, substr($joined, 0, 400_000);
print "checksum $checksum length ", length $joined, "\n";
