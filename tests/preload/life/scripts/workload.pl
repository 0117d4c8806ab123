# Hashes, strings and sorting in the interpreter: prints figures that do not depend on who allocates.
use strict;
use warnings;

my (%words, $text);
for my $i (1 .. 60000) {
    my $word = sprintf("%x", ($i * 2654435761) % 1000003);
    push @{$words{length $word}}, $word;
    $text .= $word . " ";
}
my $count = () = $text =~ /[a-f]+\d/g;
my @sorted = sort { $a cmp $b } map { @$_ } values %words;
my $large = join(",", @sorted) x 20;
$large =~ s/0+//g;
delete $words{$_} for keys %words;
print join(" ", $count, scalar(@sorted), $sorted[0], $sorted[-1], length $large), "\n";
